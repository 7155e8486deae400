using Mm.P2pDma.Importers.Reading;

namespace Mm.P2pDma.Importers.Sysfs;

/// <summary>Walks a folder for <see cref="SysfsFolder"/>: bounded in depth, entries and bytes, following no link.</summary>
/// <remarks>
/// A file that the kernel does not let one read (a function's <c>config</c> behind a sleeping bridge, say) counts as absent.
/// Pipes and devices are never opened: see <see cref="HoldsNothing"/>.
/// <para><b>Locking:</b> the caller's; one import, one walk.</para>
/// </remarks>
/// <param name="log">The limits, and where notes go.</param>
internal sealed class SysfsFolderWalk(ImportLog log)
{
    private readonly SysfsTree tree = new(log);
    private int entries;
    private ulong bytes;

    /// <summary>Walks.</summary>
    /// <param name="folder">The folder.</param>
    /// <returns>What matters of it.</returns>
    /// <exception cref="ImportRefusedException">A limit is passed.</exception>
    internal SysfsTree Gather(DirectoryInfo folder)
    {
        bool isSysItself = Directory.Exists(Path.Combine(folder.FullName, "bus", "pci"))
            && !Directory.Exists(Path.Combine(folder.FullName, "sys"));
        var pending = new Stack<(DirectoryInfo Folder, string[] Parts)>();
        pending.Push((folder, isSysItself ? ["sys"] : []));
        while (pending.TryPop(out (DirectoryInfo Folder, string[] Parts) next))
        {
            foreach (FileSystemInfo entry in next.Folder.EnumerateFileSystemInfos().OrderBy(entry => entry.Name, StringComparer.Ordinal))
            {
                string[] parts = [.. next.Parts, entry.Name];
                Count(parts);
                if (Visit(entry, parts))
                {
                    pending.Push(((DirectoryInfo)entry, parts));
                }
            }
        }

        return tree;
    }

    // Whether to look into it. The order matters: a link to a folder is a folder to the platform.
    private bool Visit(FileSystemInfo entry, string[] parts)
    {
        bool isOnWay = parts is ["sys"] or ["proc"] || SysfsTree.MayMatter(parts);
        if (!isOnWay)
        {
            return false;
        }

        string[] inside = parts;
        bool isInside = tree.TryEnter(ref inside, log.At(0, 0));
        if (entry.LinkTarget is { } target)
        {
            if (isInside)
            {
                tree.AddLink(inside, target);
            }

            return false;
        }

        if (entry is DirectoryInfo)
        {
            if (isInside)
            {
                tree.AddFolder(inside);
            }

            return parts.Length < log.Limits.MaxDepth;
        }

        if (isInside)
        {
            tree.AddFile(inside, SysfsTree.IsWanted(inside) ? Read((FileInfo)entry, inside) : null);
        }

        return false;
    }

    // A pipe blocks whoever opens it, and a device does whatever its driver does; the platform's managed calls do not tell
    // either from a file. But both have a length of zero, and so does, among files with contents, only what the kernel
    // makes up under /proc and /sys, where there are no pipes: a file without length is not opened anywhere else.
    private static bool HoldsNothing(FileInfo file) =>
        file.Length == 0 && new DriveInfo(file.FullName).DriveFormat is not ("proc" or "sysfs");

    private void Count(string[] parts)
    {
        if (++entries > log.Limits.MaxMembers)
        {
            throw new ImportRefusedException(new ImportError(
                tree.At(string.Join('/', parts)), "the folder has too many entries", "", $"at most {log.Limits.MaxMembers}"));
        }
    }

    // A sysfs file's length is a page whatever it holds: read until the end, within the limit.
    private byte[]? Read(FileInfo file, string[] parts)
    {
        ulong limit = parts is ["proc", "cpuinfo"] ? SysfsCpu.MaxBytes : log.Limits.MaxMemberSize.Value;
        try
        {
            if (HoldsNothing(file))
            {
                log.Note(tree.At(string.Join('/', parts)), "the file is empty, or no regular file; what it says stays unknown");
                return null;
            }

            using FileStream stream = file.OpenRead();
            using var kept = new MemoryStream();
            byte[] buffer = new byte[4096];
            for (int count = stream.Read(buffer); count > 0 && (ulong)kept.Length < limit; count = stream.Read(buffer))
            {
                kept.Write(buffer, 0, count);
            }

            bytes += (ulong)kept.Length;
            bool isTooLarge = (ulong)kept.Length > limit && parts is not ["proc", "cpuinfo"];
            return isTooLarge || bytes > log.Limits.MaxUnpackedSize.Value
                ? throw new ImportRefusedException(new ImportError(
                    tree.At(string.Join('/', parts)), "the file is too large", "", $"at most {log.Limits.MaxMemberSize}"))
                : kept.ToArray();
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            log.Note(tree.At(string.Join('/', parts)), "the file cannot be read; what it says stays unknown");
            return null;
        }
    }
}

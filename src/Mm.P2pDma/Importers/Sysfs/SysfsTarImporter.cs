using Mm.Core;
using Mm.P2pDma.Importers.Reading;

namespace Mm.P2pDma.Importers.Sysfs;

/// <summary>Reads a sysfs tree from a tar archive, as <c>hwloc-gather-topology</c> and <c>tar c /sys …</c> make it.</summary>
/// <remarks>
/// Nothing is unpacked to disk. Members may come in any order and below any one root folder. Names that leave the archive,
/// links that do, links in circles, sparse files and second trees are refused. Packed archives are unpacked by
/// <see cref="MachineImport"/>. For a folder, see <see cref="SysfsFolder"/>.
/// <para><b>Linux:</b> /sys/bus/pci/devices, /sys/devices, /proc/cpuinfo (v6.12).</para>
/// <para><b>Locking:</b> stateless.</para>
/// </remarks>
public sealed class SysfsTarImporter : IMachineImporter
{
    /// <summary>The format's name.</summary>
    public const string FormatName = "sysfs";

    /// <inheritdoc/>
    public string Format => FormatName;

    /// <inheritdoc/>
    public SniffConfidence Sniff(ReadOnlySpan<byte> header, string name) =>
        TarArchiveReader.IsHeader(header) ? SniffConfidence.Likely : SniffConfidence.None;

    /// <inheritdoc/>
    public ImportResult Import(Stream stream, string name, ImportLimits limits)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(limits);
        var log = new ImportLog(name, limits);
        try
        {
            SysfsTree tree = Gather(stream, log);
            return log.Finish(FormatName, () => new SysfsReader(tree, log).Build());
        }
        catch (ImportRefusedException refusal)
        {
            return log.Refuse(FormatName, refusal.Error);
        }
    }

    private static SysfsTree Gather(Stream stream, ImportLog log)
    {
        var tree = new SysfsTree(log);
        using var bounded = new BoundedStream(stream, log.At(0, 0), "the archive is too large", log.Limits.MaxUnpackedSize);
        var archive = new TarArchiveReader(bounded, log);
        while (archive.TryReadNext(out TarMember member))
        {
            Add(tree, archive, member);
        }

        if (tree.IsEmpty)
        {
            log.Error(log.At(0, 0), "there is no sysfs tree in the archive", "", "members sys/bus/pci/devices/… or sys/devices/…");
        }

        return tree;
    }

    private static void Add(SysfsTree tree, TarArchiveReader archive, TarMember member)
    {
        if (!SysfsPath.TrySplit(member.Name, out string[] parts))
        {
            throw archive.Refuse(
                "a name leaves the archive", member.Name, $"relative names without .., at most {SysfsPath.MaxLength} characters");
        }

        if (!tree.TryEnter(ref parts, tree.AtMember(member.Name)))
        {
            return;
        }

        switch (member.Kind)
        {
            case TarMemberKind.Folder:
                tree.AddFolder(parts);
                break;
            case TarMemberKind.Link:
                tree.AddLink(parts, member.LinkTarget);
                break;
            case TarMemberKind.File when SysfsTree.IsWanted(parts):
                bool isCpuInfo = parts is ["proc", "cpuinfo"];
                tree.AddFile(parts, archive.ReadContents(isCpuInfo ? new ByteCount(SysfsCpu.MaxBytes) : new ByteCount(member.Size)));
                break;
            case TarMemberKind.HardLink when SysfsTree.IsWanted(parts):
                throw archive.Refuse("a file is a hard link", member.Name, "files with contents");
            default:
                tree.AddFile(parts, null);
                break;
        }
    }
}

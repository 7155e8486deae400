using System.Formats.Tar;
using System.IO.Compression;
using System.Text;
using ICSharpCode.SharpZipLib.BZip2;
using Mm.P2pDma.Importers;
using Mm.P2pDma.Importers.MachineFiles;
using Mm.P2pDma.Importers.Sysfs;
using Mm.P2pDma.Tests.Importers.Sysfs;

namespace Mm.P2pDma.Tests.Importers;

/// <summary>The files that the fuzz damages: our fixtures in every format, and the real machines where they are present.</summary>
internal sealed class FuzzCorpus
{
    private const int MaxFile = 128 * 1024;
    private const int MembersOfASlice = 60;

    private readonly List<(string Name, byte[] Bytes)> files = [];
    private readonly List<List<TarEntry>> trees = [];
    private readonly List<byte[]> contents = [];

    internal FuzzCorpus()
    {
        foreach (string path in Directory.GetFiles(SharedFiles.Fixture(""), "*").Order(StringComparer.Ordinal))
        {
            AddWithMachineFile(Path.GetFileName(path), File.ReadAllBytes(path));
        }

        files.Add(("sample.tar", SysfsSample.Create().ToTar()));
        if (SharedFiles.HasMachines)
        {
            foreach (string path in SharedFiles.Machines("nccl", "*.xml").Concat(SharedFiles.Machines("hwloc", "*.xml")))
            {
                AddWithMachineFile(Path.GetFileName(path), File.ReadAllBytes(path));
            }

            foreach (string path in SharedFiles.Machines("hwloc", "*.tar.bz2"))
            {
                AddTree(path);
            }
        }
    }

    /// <summary>How many kinds of cases there are: whole files, then slices of trees.</summary>
    internal int Count => files.Count + trees.Count;

    /// <summary>A damaged file.</summary>
    /// <param name="index">Which case.</param>
    /// <returns>What it was made of, and the bytes.</returns>
    internal (string Name, byte[] Bytes) Case(int index)
    {
        var mutator = new Mutator(index);
        int kind = index % Count;
        if (kind >= files.Count)
        {
            return ($"slice of tree {kind - files.Count}", Slice(trees[kind - files.Count], mutator));
        }

        (string name, byte[] bytes) = files[kind];
        byte[] damaged = mutator.Mutate(bytes, files[mutator.Next(files.Count)].Bytes);
        return mutator.Next(40) switch
        {
            0 => (name + ".gz, damaged inside", Gzip(damaged)),
            1 => (name + ".gz, damaged outside", mutator.Mutate(Gzip(bytes), damaged)),
            2 => (name + ".bz2, damaged outside", mutator.Mutate(Bzip2(bytes), damaged)),
            _ => (name, damaged),
        };
    }

    // Large files cost time, not insight.
    private void AddWithMachineFile(string name, byte[] bytes)
    {
        if (bytes.Length > MaxFile)
        {
            return;
        }

        files.Add((name, bytes));
        bool isOurs = name is "hwloc-v3.xml" or "rccl-v2.xml" or "lspci-acs.txt";
        if (isOurs && MachineImport.Open(new MemoryStream(bytes), name) is { IsImported: true } result)
        {
            files.Add((name + ".json", Encoding.UTF8.GetBytes(MachineFile.Write(result.Topology.Snapshot))));
        }
    }

    private void AddTree(string path)
    {
        using FileStream file = File.OpenRead(path);
        using var unpacked = new MemoryStream();
        BZip2.Decompress(file, unpacked, isStreamOwner: false);
        unpacked.Position = 0;
        using var archive = new TarReader(unpacked);
        var members = new List<TarEntry>();
        while (archive.GetNextEntry(copyData: true) is { } entry)
        {
            string name = entry.Name;
            bool matters = name.Contains("/sys/bus/pci/", StringComparison.Ordinal)
                || (name.Contains("/sys/devices/pci", StringComparison.Ordinal) && SysfsTree.IsWanted([.. name.Split('/')[1..]]))
                || name.EndsWith("/cpuinfo", StringComparison.Ordinal)
                || (name.Contains("/system/node/node", StringComparison.Ordinal) && name.Contains("meminfo", StringComparison.Ordinal));
            if (matters)
            {
                members.Add(entry);
            }
        }

        trees.Add(members);
        contents.AddRange(members.Where(member => member.DataStream is not null).Take(50).Select(Contents));
    }

    private static byte[] Contents(TarEntry member)
    {
        using var copy = new MemoryStream();
        member.DataStream!.Position = 0;
        member.DataStream.CopyTo(copy);
        return copy.ToArray()[..Math.Min((int)copy.Length, 4096)];
    }

    // Some members in a row, from one to three of them damaged: in name, target or contents; sometimes the archive itself too.
    private byte[] Slice(List<TarEntry> tree, Mutator mutator)
    {
        int start = mutator.Next(Math.Max(tree.Count - MembersOfASlice, 1));
        int count = Math.Min(MembersOfASlice, tree.Count - start);
        var damaged = new HashSet<int> { mutator.Next(count), mutator.Next(count), mutator.Next(count) };
        using var archive = new MemoryStream();
        using (var writer = new TarWriter(archive, TarEntryFormat.Pax, leaveOpen: true))
        {
            for (int index = 0; index < count; index++)
            {
                writer.WriteEntry(Copy(tree[start + index], damaged.Contains(index) ? mutator : null));
            }
        }

        byte[] bytes = archive.ToArray();
        return mutator.Next(8) == 0 ? mutator.Mutate(bytes, contents[mutator.Next(contents.Count)]) : bytes;
    }

    private PaxTarEntry Copy(TarEntry member, Mutator? mutator)
    {
        int what = mutator?.Next(4) ?? -1;
        string name = what == 0 ? Damage(member.Name, mutator!) : member.Name;
        bool isLink = member.EntryType == TarEntryType.SymbolicLink;
        var copy = new PaxTarEntry(isLink || member.EntryType == TarEntryType.Directory ? member.EntryType : TarEntryType.RegularFile, name);
        if (isLink)
        {
            copy.LinkName = what > 0 ? Damage(member.LinkName, mutator!) : member.LinkName;
        }
        else if (member.DataStream is not null)
        {
            byte[] bytes = Contents(member);
            copy.DataStream = new MemoryStream(what > 0 ? mutator!.Mutate(bytes, contents[mutator.Next(contents.Count)]) : bytes);
        }

        return copy;
    }

    private static string Damage(string text, Mutator mutator)
    {
        string damaged = Encoding.UTF8.GetString(mutator.Mutate(Encoding.UTF8.GetBytes(text), "../../x/0000:00:00.0"u8.ToArray()));
        string usable = damaged.Replace("\0", "", StringComparison.Ordinal);
        return usable.Length == 0 ? "x" : usable;
    }

    private static byte[] Gzip(byte[] bytes)
    {
        using var packed = new MemoryStream();
        using (var packer = new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true))
        {
            packer.Write(bytes);
        }

        return packed.ToArray();
    }

    private static byte[] Bzip2(byte[] bytes)
    {
        using var packed = new MemoryStream();
        BZip2.Compress(new MemoryStream(bytes), packed, isStreamOwner: false, level: 1);
        return packed.ToArray();
    }
}

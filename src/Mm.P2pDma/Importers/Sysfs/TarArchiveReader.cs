using System.Buffers.Binary;
using System.Text;
using Mm.Core;
using Mm.P2pDma.Importers.Reading;

namespace Mm.P2pDma.Importers.Sysfs;

/// <summary>Reads a stranger's tar archive member by member, forwards only and in bounded memory.</summary>
/// <remarks>
/// Knows ustar, GNU's long names and numbers, and pax's <c>path</c>, <c>linkpath</c> and <c>size</c>. Never touches a file
/// system. The platform's reader would hold whatever an extended header claims to need and knows no limits; hence this.
/// <para><b>Invariants:</b> (1) besides the caller's buffer, at most one header and <see cref="MaxMetadata"/> bytes are
/// held; (2) every header's checksum is checked; (3) an archive without its end mark is refused: it was cut off.</para>
/// <para><b>Locking:</b> the caller's.</para>
/// </remarks>
/// <param name="stream">The bytes, unpacked; stays open.</param>
/// <param name="log">The file's name and limits.</param>
internal sealed class TarArchiveReader(Stream stream, ImportLog log)
{
    /// <summary>The unit of a tar archive.</summary>
    internal const int BlockSize = 512;

    /// <summary>The longest name, link target or extended header that is taken.</summary>
    internal const int MaxMetadata = 64 * 1024;

    private const int ChecksumAt = 148;
    private const int ChecksumLength = 8;

    private readonly byte[] header = new byte[BlockSize];
    private ulong offset;
    private ulong headerAt;
    private ulong contentLeft;
    private ulong paddingLeft;
    private int members;

    /// <summary>Whether a file's first bytes are a tar header.</summary>
    /// <param name="bytes">The first bytes.</param>
    /// <returns>Whether there is a whole header and its checksum is right.</returns>
    internal static bool IsHeader(ReadOnlySpan<byte> bytes) =>
        bytes.Length >= BlockSize && bytes[0] != 0 && IsChecksumRight(bytes[..BlockSize]);

    /// <summary>Goes to the next member; what was not read of the one before is skipped.</summary>
    /// <param name="member">The member.</param>
    /// <returns>Whether there was one before the end mark.</returns>
    /// <exception cref="ImportRefusedException">The archive is damaged, cut off, or passes a limit.</exception>
    internal bool TryReadNext(out TarMember member)
    {
        string? name = null;
        string? target = null;
        ulong? size = null;
        while (TryReadHeader())
        {
            char type = (char)header[156];
            ulong length = Number(124, 12);
            switch (type)
            {
                case 'L':
                    name = Text(ReadMetadata(length));
                    break;
                case 'K':
                    target = Text(ReadMetadata(length));
                    break;
                case 'x':
                    ReadExtended(ReadMetadata(length), ref name, ref target, ref size);
                    break;
                case 'g':
                    _ = ReadMetadata(length);
                    break;
                case 'S':
                    throw Refuse("the archive has a sparse file", "", "whole files");
                default:
                    member = ToMember(type, name ?? HeaderName(), target ?? Text(header.AsSpan(157, 100)), size ?? length);
                    return true;
            }
        }

        member = default;
        return false;
    }

    /// <summary>Reads the whole contents of the member, of which nothing was read yet.</summary>
    /// <param name="limit">The most bytes to give back; the rest is skipped.</param>
    /// <returns>The bytes.</returns>
    internal byte[] ReadContents(ByteCount limit)
    {
        byte[] bytes = new byte[(int)Math.Min(contentLeft, Math.Min(limit.Value, int.MaxValue))];
        ReadExactly(bytes);
        contentLeft -= (ulong)bytes.Length;
        return bytes;
    }

    /// <summary>An error at the member's header.</summary>
    /// <param name="what">What is wrong.</param>
    /// <param name="found">What there is.</param>
    /// <param name="allowed">What there might be.</param>
    /// <returns>The exception to throw.</returns>
    internal ImportRefusedException Refuse(string what, string found, string allowed) =>
        new(new ImportError(log.At(1, (int)Math.Min(headerAt + 1, int.MaxValue)), what, found, allowed));

    private TarMember ToMember(char type, string name, string target, ulong length)
    {
        TarMemberKind kind = type switch
        {
            '0' or '\0' or '7' => name.EndsWith('/') ? TarMemberKind.Folder : TarMemberKind.File,
            '1' => TarMemberKind.HardLink,
            '2' => TarMemberKind.Link,
            '5' => TarMemberKind.Folder,
            _ => TarMemberKind.Other,
        };
        if (++members > log.Limits.MaxMembers)
        {
            throw Refuse("the archive has too many members", "", $"at most {log.Limits.MaxMembers}");
        }

        // Links and folders may carry a size of something that is not there.
        ulong contents = kind is TarMemberKind.File or TarMemberKind.Other ? length : 0;
        if (contents > log.Limits.MaxMemberSize.Value)
        {
            throw Refuse(
                "a member of the archive is too large", $"{name}: {new ByteCount(contents)}", $"at most {log.Limits.MaxMemberSize}");
        }

        SetContents(contents);
        return new TarMember(name, kind, kind is TarMemberKind.Link or TarMemberKind.HardLink ? target : "", contents);
    }

    private void SetContents(ulong length)
    {
        contentLeft = length;
        paddingLeft = (BlockSize - (length % BlockSize)) % BlockSize;
    }

    private bool TryReadHeader()
    {
        Skip(contentLeft + paddingLeft);
        contentLeft = 0;
        paddingLeft = 0;
        headerAt = offset;
        ReadExactly(header);
        if (!header.AsSpan().ContainsAnyExcept((byte)0))
        {
            return false;
        }

        return IsChecksumRight(header)
            ? true
            : throw Refuse("not a header of a tar archive: its checksum is wrong", "", "a tar archive, not damaged");
    }

    // The sum of all bytes, its own field taken for blanks; old writers summed signed bytes.
    private static bool IsChecksumRight(ReadOnlySpan<byte> block)
    {
        long unsigned = 0;
        long signed = 0;
        for (int index = 0; index < block.Length; index++)
        {
            byte value = index is >= ChecksumAt and < ChecksumAt + ChecksumLength ? (byte)' ' : block[index];
            unsigned += value;
            signed += value < 0x80 ? value : value - 0x100;
        }

        return TryOctal(block.Slice(ChecksumAt, ChecksumLength), out ulong stored)
            && ((long)stored == unsigned || (long)stored == signed);
    }

    private ulong Number(int start, int length)
    {
        ReadOnlySpan<byte> field = header.AsSpan(start, length);
        if ((field[0] & 0x80) != 0)
        {
            // GNU's binary numbers: big-endian, the top bit set as a mark. 8 bytes are more than any limit.
            bool isLarge = field[1..^8].ContainsAnyExcept((byte)0) || field[0] != 0x80;
            return isLarge
                ? throw Refuse("a member of the archive is too large", "", $"at most {log.Limits.MaxMemberSize}")
                : BinaryPrimitives.ReadUInt64BigEndian(field[^8..]);
        }

        return TryOctal(field, out ulong value)
            ? value
            : throw Refuse("not a number in a tar header", Text(field), "octal digits");
    }

    private static bool TryOctal(ReadOnlySpan<byte> field, out ulong value)
    {
        value = 0;
        ReadOnlySpan<byte> digits = field.Trim(" \0"u8);
        foreach (byte digit in digits)
        {
            if (digit is < (byte)'0' or > (byte)'7')
            {
                return false;
            }

            value = (value << 3) | (uint)(digit - '0'); // at most 12 digits: 36 bits
        }

        return true;
    }

    private string HeaderName()
    {
        bool isUstar = header.AsSpan(257, 6).SequenceEqual("ustar\0"u8);
        string name = Text(header.AsSpan(0, 100));
        string prefix = isUstar ? Text(header.AsSpan(345, 155)) : "";
        return prefix.Length == 0 ? name : $"{prefix}/{name}";
    }

    private byte[] ReadMetadata(ulong length)
    {
        if (length > MaxMetadata)
        {
            throw Refuse("a name or an extended header of the archive is too long", $"{length} bytes", $"at most {MaxMetadata}");
        }

        byte[] bytes = new byte[(int)length];
        ReadExactly(bytes);
        SetContents(length);
        contentLeft = 0;
        return bytes;
    }

    // Records "LENGTH KEY=VALUE\n", the length counting itself.
    private void ReadExtended(ReadOnlySpan<byte> records, ref string? name, ref string? target, ref ulong? size)
    {
        while (!records.IsEmpty)
        {
            int blank = records.IndexOf((byte)' ');
            bool isRecord = blank > 0
                && StrictNumber.TryDecimal(Text(records[..blank]), MaxMetadata, out ulong length)
                && length > (ulong)blank + 1 && length <= (ulong)records.Length
                && records[(int)length - 1] == (byte)'\n';
            if (!isRecord)
            {
                throw Refuse("an extended header of the archive is damaged", Text(records), "records \"LENGTH KEY=VALUE\"");
            }

            _ = StrictNumber.TryDecimal(Text(records[..blank]), MaxMetadata, out ulong taken);
            string record = Text(records[(blank + 1)..((int)taken - 1)]);
            records = records[(int)taken..];
            if (record.StartsWith("path=", StringComparison.Ordinal))
            {
                name = record["path=".Length..];
            }
            else if (record.StartsWith("linkpath=", StringComparison.Ordinal))
            {
                target = record["linkpath=".Length..];
            }
            else if (record.StartsWith("size=", StringComparison.Ordinal))
            {
                size = StrictNumber.TryDecimal(record.AsSpan("size=".Length), ulong.MaxValue, out ulong told)
                    ? told
                    : throw Refuse("not a size in an extended header", record, "decimal digits");
            }
            else if (record.StartsWith("GNU.sparse", StringComparison.Ordinal))
            {
                throw Refuse("the archive has a sparse file", record, "whole files");
            }
        }
    }

    private static string Text(ReadOnlySpan<byte> field)
    {
        int end = field.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? field : field[..end]);
    }

    private void Skip(ulong count)
    {
        Span<byte> buffer = stackalloc byte[4096];
        while (count > 0)
        {
            Span<byte> part = buffer[..(int)Math.Min(count, (ulong)buffer.Length)];
            ReadExactly(part);
            count -= (ulong)part.Length;
        }
    }

    private void ReadExactly(Span<byte> buffer)
    {
        int read = stream.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false);
        offset += (ulong)read;
        if (read < buffer.Length)
        {
            throw Refuse("the archive is cut off", $"the end after {offset} bytes", "two empty blocks at the end");
        }
    }
}

using System.Buffers;
using System.Text;

namespace Mm.P2pDma.Tests.Importers;

/// <summary>Damages files as accidents and attackers do; the same seed damages the same way.</summary>
internal sealed class Mutator(int seed)
{
    private static readonly string[] Numbers =
    [
        "99999999999999999999", "18446744073709551615", "18446744073709551616", "4294967296", "2147483648", "65536", "256", "-1",
        "0", "ffffffffffffffff", "10000000000000000", "1e308", "0x", "00000000000000000000000000001",
    ];

    private static readonly string[] Texts =
    [
        "\0", "\r\n", "\t", "<", "&lt;", "<!DOCTYPE x [<!ENTITY a \"b\">]>", "]]>", "{", "}", "\"", "\\u0000", "../../../etc/passwd",
        "/etc/passwd", "[", ":", "ffff:ff:1f.7", "0000:00:00.0", "\u001b[2J", "é", "\uFEFF",
    ];

    private static readonly SearchValues<byte> WordBytes =
        SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:._"u8);

    private readonly Random random = new(seed);

    /// <summary>Damages a file one to three times.</summary>
    /// <param name="bytes">The file.</param>
    /// <param name="other">Another file, to splice with.</param>
    /// <returns>The damaged copy.</returns>
    internal byte[] Mutate(byte[] bytes, byte[] other)
    {
        byte[] result = [.. bytes];
        for (int times = Math.Max(1, random.Next(-1, 4)); times > 0; times--)
        {
            result = result.Length == 0 ? [.. other] : Once(result, other);
        }

        return result;
    }

    /// <summary>Picks a number below a limit.</summary>
    internal int Next(int limit) => random.Next(limit);

    private byte[] Once(byte[] bytes, byte[] other) => random.Next(20) switch
    {
        0 => FlipBits(bytes),
        1 => bytes[..random.Next(bytes.Length)],
        2 => Replace(bytes, Place(bytes), 0, Chunk(bytes)),
        3 => SwapLines(bytes),
        4 => ReplaceNumber(bytes),
        5 => [.. bytes[..random.Next(bytes.Length)], .. other[random.Next(Math.Max(other.Length, 1))..]],
        6 => Replace(bytes, Place(bytes), random.Next(1, 200), []),
        7 => Replace(bytes, Place(bytes), random.Next(3), Encoding.UTF8.GetBytes(Texts[random.Next(Texts.Length)])),
        8 => Replace(bytes, Place(bytes), random.Next(3), Noise()),
        9 => Replace(bytes, Place(bytes), 0, Chunk(other)),
        < 14 => ReplaceNumber(bytes),
        _ => ReplaceWord(bytes),
    };

    private int Place(byte[] bytes) => random.Next(bytes.Length);

    private byte[] Chunk(byte[] bytes)
    {
        if (bytes.Length == 0)
        {
            return [];
        }

        int start = random.Next(bytes.Length);
        return bytes.AsSpan(start, Math.Min(random.Next(1, 2000), bytes.Length - start)).ToArray();
    }

    private byte[] Noise()
    {
        byte[] noise = new byte[random.Next(1, 64)];
        random.NextBytes(noise);
        return noise;
    }

    private byte[] FlipBits(byte[] bytes)
    {
        for (int times = random.Next(1, 17); times > 0; times--)
        {
            bytes[Place(bytes)] ^= (byte)(1 << random.Next(8));
        }

        return bytes;
    }

    private byte[] SwapLines(byte[] bytes)
    {
        (int start, int length) = Line(bytes);
        (int otherStart, int otherLength) = Line(bytes);
        byte[] line = bytes.AsSpan(start, length).ToArray();
        return Replace(Replace(bytes, start, length, bytes.AsSpan(otherStart, otherLength).ToArray()), Math.Min(otherStart, bytes.Length - 1), 0, line);
    }

    private (int Start, int Length) Line(byte[] bytes)
    {
        int at = Place(bytes);
        int start = bytes.AsSpan(0, at).LastIndexOf((byte)'\n') + 1;
        int end = bytes.AsSpan(at).IndexOf((byte)'\n');
        return (start, Math.Min((end < 0 ? bytes.Length : at + end + 1) - start, 4000));
    }

    // One word of the file in another's place: most formats stay well-formed, and the reader gets to see nonsense.
    private byte[] ReplaceWord(byte[] bytes)
    {
        (int start, int length) = Word(bytes);
        (int otherStart, int otherLength) = Word(bytes);
        return Replace(bytes, start, length, bytes.AsSpan(otherStart, otherLength).ToArray());
    }

    private (int Start, int Length) Word(byte[] bytes)
    {
        int at = Place(bytes);
        int start = at + Math.Max(0, bytes.AsSpan(at).IndexOfAny(WordBytes));
        int length = bytes.AsSpan(start).IndexOfAnyExcept(WordBytes);
        return (start, Math.Min(length < 0 ? bytes.Length - start : length, 100));
    }

    private byte[] ReplaceNumber(byte[] bytes)
    {
        int at = Place(bytes);
        int start = bytes.AsSpan(at).IndexOfAnyInRange((byte)'0', (byte)'9');
        if (start < 0)
        {
            return bytes;
        }

        start += at;
        int length = bytes.AsSpan(start).IndexOfAnyExceptInRange((byte)'0', (byte)'9');
        return Replace(bytes, start, length < 0 ? bytes.Length - start : length, Encoding.ASCII.GetBytes(Numbers[random.Next(Numbers.Length)]));
    }

    private static byte[] Replace(byte[] bytes, int start, int length, byte[] with)
    {
        int place = Math.Min(start, bytes.Length);
        return [.. bytes.AsSpan(0, place), .. with, .. bytes.AsSpan(Math.Min(place + length, bytes.Length))];
    }
}

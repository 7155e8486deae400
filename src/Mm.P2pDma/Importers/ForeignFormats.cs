namespace Mm.P2pDma.Importers;

/// <summary>Knows by their first bytes the files that people try next, and says what to give instead.</summary>
internal static class ForeignFormats
{
    private static readonly (byte[] Magic, string Advice)[] Magics =
    [
        ([0xfd, (byte)'7', (byte)'z', (byte)'X', (byte)'Z'], "xz is not unpacked here: unpack it first (unxz)"),
        ([0x28, 0xb5, 0x2f, 0xfd], "zstd is not unpacked here: unpack it first (unzstd)"),
        ([(byte)'P', (byte)'K', 3, 4], "zip is not unpacked here: unpack it first"),
    ];

    /// <summary>Says what the file is.</summary>
    /// <param name="header">Its first bytes.</param>
    /// <returns>What it is and what to do; null where nothing is known.</returns>
    internal static string? Advise(ReadOnlySpan<byte> header)
    {
        foreach ((byte[] magic, string advice) in Magics)
        {
            if (header.StartsWith(magic))
            {
                return advice;
            }
        }

        if (header.StartsWith("-["u8) || header.StartsWith("-+"u8))
        {
            return "this is the tree of lspci -t, which tells too little: give lspci -vvv, or -xxxx as root";
        }

        // The matrix starts with an empty corner: a tab, perhaps behind an escape that underlines.
        int gpu = header[..Math.Min(header.Length, 64)].IndexOf("GPU0"u8);
        bool isMatrix = gpu is >= 0 and < 16 && header[..gpu].Contains((byte)'\t');
        return isMatrix
            ? "this is the matrix of nvidia-smi topo -m, which tells distances but not the tree: give lspci -vvv, or NCCL's topology dump"
            : null;
    }
}

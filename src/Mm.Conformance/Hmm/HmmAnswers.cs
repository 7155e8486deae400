using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Mm.Core;
using Mm.Core.Spaces;
using Mm.Hmm.Mirrors;

namespace Mm.Conformance.Hmm;

/// <summary>Outcomes as recordings write them: lists run-length coded.</summary>
internal static class HmmAnswers
{
    private const int PageBytes = 4096;

    /// <summary>The first and last eight bytes of each page.</summary>
    /// <param name="bytes">Whole pages.</param>
    /// <returns>The list.</returns>
    internal static string Data(ReadOnlySpan<byte> bytes)
    {
        var runs = new Runs();
        for (int at = 0; at < bytes.Length; at += PageBytes)
        {
            ulong first = BinaryPrimitives.ReadUInt64LittleEndian(bytes[at..]);
            ulong last = BinaryPrimitives.ReadUInt64LittleEndian(bytes[(at + PageBytes - 8)..]);
            runs.Add(string.Create(CultureInfo.InvariantCulture, $"{first}/{last}"));
        }

        return runs.ToString();
    }

    /// <summary>A snapshot, a byte a page.</summary>
    /// <param name="pages">The snapshot.</param>
    /// <returns>The list.</returns>
    internal static string Permissions(ReadOnlySpan<MirrorPage> pages)
    {
        var runs = new Runs();
        foreach (MirrorPage page in pages)
        {
            runs.Add(ByteOf(page).ToString("x2", CultureInfo.InvariantCulture));
        }

        return runs.ToString();
    }

    /// <summary>A page map, a letter a page.</summary>
    /// <param name="pages">The views.</param>
    /// <returns>The list.</returns>
    internal static string Pagemap(ReadOnlySpan<PageView> pages)
    {
        var runs = new Runs();
        foreach (PageView page in pages)
        {
            runs.Add(page.IsPresent ? page.IsExclusive ? "P" : "Q" : page.IsElsewhere ? "S" : ".");
        }

        return runs.ToString();
    }

    /// <summary>How an access ended.</summary>
    /// <param name="result">The result.</param>
    /// <returns>ok, or the signal.</returns>
    internal static string Signal(FaultResult result) => result switch
    {
        FaultResult.Done => "ok",
        FaultResult.SegmentationFault => "SIGSEGV",
        _ => "SIGBUS",
    };

    private static int ByteOf(MirrorPage page)
    {
        if (!page.Word.IsValid)
        {
            return page.Word.IsError ? 0xff : 0;
        }

        int kind = page.Place switch
        {
            MirrorPlace.ZeroPage => 0x10,
            MirrorPlace.PrivateHere => 0x20,
            MirrorPlace.PrivateElsewhere => 0x30,
            MirrorPlace.CoherentHere => 0x40,
            MirrorPlace.CoherentElsewhere => 0x50,
            _ => 0,
        };
        return kind | (page.Word.IsWritable ? 2 : 1) | (page.Word.MapOrder == PageSize.Large.Order ? 4 : 0);
    }

    private sealed class Runs
    {
        private readonly StringBuilder text = new();
        private string current = "";
        private int count;

        public void Add(string item)
        {
            if (item == current)
            {
                count++;
                return;
            }

            Flush();
            current = item;
            count = 1;
        }

        public override string ToString()
        {
            Flush();
            count = 0;
            return text.ToString();
        }

        private void Flush()
        {
            if (count == 0)
            {
                return;
            }

            _ = text.Append(text.Length == 0 ? "" : ",").Append(current);
            if (count > 1)
            {
                _ = text.Append(CultureInfo.InvariantCulture, $"*{count}");
            }
        }
    }
}

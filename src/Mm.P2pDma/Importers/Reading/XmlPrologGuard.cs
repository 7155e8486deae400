namespace Mm.P2pDma.Importers.Reading;

/// <summary>Looks over an XML text on its way to the XML reader and refuses a document type with an internal subset.</summary>
/// <remarks>
/// hwloc's files say <c>&lt;!DOCTYPE topology SYSTEM "hwloc2.dtd"&gt;</c>: that must pass, unresolved. An internal subset
/// (<c>[ … ]</c>) is where entities are declared: bombs and external files live there, and no machine description needs one.
/// The platform's reader can forbid every DOCTYPE, skip them silently, or obey them; none of the three fits.
/// <para><b>States:</b> outside → '&lt;' → '&lt;!' → doctype | '&lt;!-' → comment; '&lt;?' → instruction; the first
/// element ends the watch.</para>
/// <para><b>Locking:</b> the caller's.</para>
/// </remarks>
/// <param name="inner">The text.</param>
/// <param name="log">The file's name.</param>
internal sealed class XmlPrologGuard(TextReader inner, ImportLog log) : TextReader
{
    private State state = State.Outside;
    private char quote;
    private char last;
    private char beforeLast;
    private int line = 1;
    private int column = 1;

    private enum State
    {
        Outside,
        Opened,
        Declared,
        Dashed,
        Doctype,
        Comment,
        Instruction,
        Done,
    }

    /// <inheritdoc/>
    public override int Peek() => inner.Peek();

    /// <inheritdoc/>
    public override int Read()
    {
        Span<char> one = stackalloc char[1];
        return Read(one) == 0 ? -1 : one[0];
    }

    /// <inheritdoc/>
    public override int Read(char[] buffer, int index, int count) => Read(buffer.AsSpan(index, count));

    /// <inheritdoc/>
    /// <exception cref="ImportRefusedException">There is an internal subset.</exception>
    public override int Read(Span<char> buffer)
    {
        int count = inner.Read(buffer);
        for (int index = 0; index < count && state != State.Done; index++)
        {
            Step(buffer[index]);
        }

        return count;
    }

    private void Step(char c)
    {
        state = Next(c);
        beforeLast = last;
        last = c;
        line += c == '\n' ? 1 : 0;
        column = c == '\n' ? 1 : column + 1;
    }

    private State Next(char c) => state switch
    {
        State.Outside => c == '<' ? State.Opened : State.Outside,
        State.Opened => c switch
        {
            '!' => State.Declared,
            '?' => State.Instruction,
            _ => State.Done,
        },
        State.Declared => c switch
        {
            '-' => State.Dashed,
            'D' => State.Doctype,
            _ => State.Done,
        },
        State.Dashed => State.Comment,
        State.Comment => c == '>' && last == '-' && beforeLast == '-' ? State.Outside : State.Comment,
        State.Instruction => c == '>' && last == '?' ? State.Outside : State.Instruction,
        State.Doctype => InDoctype(c),
        _ => State.Done,
    };

    private State InDoctype(char c)
    {
        if (quote != '\0')
        {
            quote = c == quote ? '\0' : quote;
            return State.Doctype;
        }

        if (c == '[')
        {
            throw new ImportRefusedException(new ImportError(
                log.At(line, column), "the document type declares an internal subset", "[", "a DOCTYPE without entities of its own"));
        }

        quote = c is '"' or '\'' ? c : '\0';
        return c == '>' ? State.Outside : State.Doctype;
    }
}

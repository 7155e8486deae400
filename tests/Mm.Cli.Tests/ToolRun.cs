using System.Text;

namespace Mm.Cli.Tests;

/// <summary>One run of the tool inside the test: what it said, and its exit code.</summary>
internal sealed record ToolRun(int ExitCode, string Output, string Error)
{
    public static ToolRun Of(params string[] args) => WithInput("", args);

    public static ToolRun WithInput(string input, params string[] args)
    {
        using var output = new StringWriter { NewLine = "\n" };
        using var error = new StringWriter { NewLine = "\n" };
        using var stdin = new MemoryStream(Encoding.UTF8.GetBytes(input));
        using var context = CliContext.Of(output, error, stdin);
        int code = MmTool.Run(args, context);
        return new ToolRun(code, output.ToString(), error.ToString());
    }
}

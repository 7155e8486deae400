using Mm.Cli;

using var context = CliContext.OfProcess();
return MmTool.Run(args, context);

using BenchmarkDotNet.Running;
using Mm.Benchmarks.Peers;

// The verbs come before the switcher, which takes all other arguments.
switch (args.FirstOrDefault())
{
    case "peers":
        return PeersCommand.Run(args[1..]);
    case "answer":
        return AnswerCommand.Run();
    default:
        BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
        return 0;
}

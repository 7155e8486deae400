using BenchmarkDotNet.Running;
using Mm.Benchmarks.Peers;
using Mm.Benchmarks.Scaling;

// The verbs come before the switcher, which takes all other arguments.
switch (args.FirstOrDefault())
{
    case "peers":
        return PeersCommand.Run(args[1..]);
    case "scaling":
        return ScalingCommand.Run(args[1..]);
    case "answer":
        return AnswerCommand.Run();
    default:
        BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
        return 0;
}

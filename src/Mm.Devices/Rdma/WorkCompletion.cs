using Mm.Core;

namespace Mm.Devices.Rdma;

/// <summary>The end of work.</summary>
/// <remarks><b>Linux:</b> struct ib_wc (v6.12). Immutable.</remarks>
/// <param name="Id">Of which work.</param>
/// <param name="Status">How it ended.</param>
/// <param name="Opcode">What it did.</param>
/// <param name="Length">How many bytes were moved.</param>
/// <param name="QueuePair">Of which queue pair.</param>
public readonly record struct WorkCompletion(ulong Id, WorkStatus Status, WorkOpcode Opcode, ByteCount Length, uint QueuePair);

using Mm.Core;

namespace Mm.Devices.Nvme;

/// <summary>A read, a write or a flush under way: one command or, where its memory is of several owners or long, several.</summary>
/// <remarks>
/// Owns nothing: its commands keep their mappings and list pages until each has ended.
/// <para><b>Linux:</b> struct request and the bios it was made of (v6.12).</para>
/// <para><b>States:</b> under way → completed, once, when its last command has.</para>
/// <para><b>Locking:</b> safe from any thread; its queue's lock changes it.</para>
/// </remarks>
public sealed class NvmeRequest
{
    private int open; // protected by the drive's lock
    private volatile bool isCompleted; // set with the drive's lock held
    private ushort status; // protected by the drive's lock until completed

    internal NvmeRequest(NvmeOpcode opcode, int commands)
    {
        Opcode = opcode;
        CommandCount = commands;
        open = commands;
    }

    /// <summary>What it does.</summary>
    public NvmeOpcode Opcode { get; }

    /// <summary>How many commands it became.</summary>
    public int CommandCount { get; }

    /// <summary>Whether all its commands have ended.</summary>
    public bool IsCompleted => isCompleted;

    /// <summary>How it ended: that of the first command that failed.</summary>
    /// <exception cref="InvalidOperationException">It is under way.</exception>
    public NvmeStatus Status => isCompleted ? new NvmeStatus(status) : throw new InvalidOperationException("the request is under way");

    /// <summary>What its user is told.</summary>
    /// <exception cref="InvalidOperationException">It is under way.</exception>
    public Errno Errno => Status.ToErrno();

    /// <summary>What it does, and how it stands.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"{Opcode} in {CommandCount}, {(isCompleted ? Status.ToString() : "under way")}";

    /// <summary>Ends one of its commands.</summary>
    internal void EndOne(NvmeStatus how)
    {
        status = status == 0 ? how.Value : status;
        open--;
        isCompleted = open == 0;
    }
}

using Mm.Core;
using Mm.Core.Locking;
using Mm.DmaBuf.Fences;

namespace Mm.DmaBuf.Buffers;

/// <summary>The open files of one process: handles of buffers, and sync files, by number.</summary>
/// <remarks>
/// Owns a hold of its own on everything in it; who installs something keeps what he had, so that a refusal leaves nothing
/// to undo twice (museum 1).
/// <para><b>Linux:</b> struct files_struct as far as dma_buf_fd, dma_buf_get and SCM_RIGHTS use it (v6.12).</para>
/// <para><b>Invariants:</b> (1) a new file gets the lowest number that is free; (2) closed, a number is nobody's.</para>
/// <para><b>Locking:</b> one lock, rank Leaf; nothing is released with it held.</para>
/// </remarks>
public sealed class FileTable : IDisposable
{
    private readonly RankedLock gate = new(LockRank.Leaf);
    private readonly SortedDictionary<int, IDisposable> files = []; // protected by gate
    private readonly FaultInjector faults;
    private readonly int limit;

    /// <summary>Makes an empty table.</summary>
    /// <param name="machine">The machine, whose planned failures count here.</param>
    /// <param name="limit">How many files may be open; positive.</param>
    public FileTable(Machine machine, int limit = 1024)
    {
        ArgumentNullException.ThrowIfNull(machine);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(limit);
        faults = machine.Faults;
        this.limit = limit;
    }

    /// <summary>How many files are open.</summary>
    public int Count
    {
        get
        {
            using RankedLock.Guard held = gate.Enter();
            return files.Count;
        }
    }

    /// <summary>Opens a buffer here.</summary>
    /// <param name="handle">A handle, which stays the caller's.</param>
    /// <param name="number">Its number here; default when refused.</param>
    /// <returns>Ok; EMFILE: as many files are open as may be; ENOMEM: no memory for the table.</returns>
    /// <exception cref="ObjectDisposedException">The handle was disposed.</exception>
    /// <remarks><b>Linux:</b> dma_buf_fd (v6.12).</remarks>
    public Errno TryInstall(BufferHandle handle, out FileNumber number)
    {
        ArgumentNullException.ThrowIfNull(handle);
        return TryAdd(handle.Duplicate(), out number);
    }

    /// <summary>Opens a sync file here.</summary>
    /// <param name="file">The file, which stays the caller's.</param>
    /// <param name="number">Its number here; default when refused.</param>
    /// <returns>As <see cref="TryInstall(BufferHandle, out FileNumber)"/>.</returns>
    /// <exception cref="ObjectDisposedException">The file is closed.</exception>
    public Errno TryInstall(SyncFile file, out FileNumber number)
    {
        ArgumentNullException.ThrowIfNull(file);
        return TryAdd(file.Duplicate(), out number);
    }

    /// <summary>Finds the buffer of a number.</summary>
    /// <param name="number">The number.</param>
    /// <param name="handle">A handle of it; null when refused. The caller disposes it.</param>
    /// <returns>Ok; EBADF: no such file is open; EINVAL: it is no buffer.</returns>
    /// <remarks><b>Linux:</b> dma_buf_get (v6.12).</remarks>
    public Errno TryGetBuffer(FileNumber number, out BufferHandle? handle)
    {
        handle = null;
        using RankedLock.Guard held = gate.Enter();
        if (!files.TryGetValue(number.Value, out IDisposable? file))
        {
            return Errno.EBADF;
        }

        handle = (file as BufferHandle)?.Duplicate();
        return handle is null ? Errno.EINVAL : Errno.Ok;
    }

    /// <summary>Finds the sync file of a number.</summary>
    /// <param name="number">The number.</param>
    /// <param name="file">The file, as long as it is open here; null when there is none.</param>
    /// <returns>Whether there is one.</returns>
    public bool TryGetSyncFile(FileNumber number, out SyncFile? file)
    {
        using RankedLock.Guard held = gate.Enter();
        file = files.GetValueOrDefault(number.Value) as SyncFile;
        return file is not null;
    }

    /// <summary>Opens a file of this process in another one, as when it is sent there.</summary>
    /// <param name="number">Its number here.</param>
    /// <param name="receiver">The other process's files.</param>
    /// <param name="there">Its number there; default when refused.</param>
    /// <returns>Ok; EBADF: no such file is open here; EMFILE, ENOMEM: as <see cref="TryInstall(BufferHandle, out FileNumber)"/>.</returns>
    /// <remarks><b>Linux:</b> SCM_RIGHTS, pidfd_getfd (v6.12).</remarks>
    public Errno TryPass(FileNumber number, FileTable receiver, out FileNumber there)
    {
        ArgumentNullException.ThrowIfNull(receiver);
        there = default;
        IDisposable copy;
        using (gate.Enter())
        {
            if (!files.TryGetValue(number.Value, out IDisposable? file))
            {
                return Errno.EBADF;
            }

            copy = file is BufferHandle handle ? handle.Duplicate() : ((SyncFile)file).Duplicate();
        }

        return receiver.TryAdd(copy, out there);
    }

    /// <summary>Closes a file.</summary>
    /// <param name="number">Its number.</param>
    /// <returns>Ok; EBADF: no such file is open.</returns>
    public Errno TryClose(FileNumber number)
    {
        IDisposable? file;
        using (gate.Enter())
        {
            if (!files.Remove(number.Value, out file))
            {
                return Errno.EBADF;
            }
        }

        file.Dispose();
        return Errno.Ok;
    }

    /// <summary>Closes all files, as when the process ends.</summary>
    public void Dispose()
    {
        IDisposable[] open;
        using (gate.Enter())
        {
            open = [.. files.Values];
            files.Clear();
        }

        foreach (IDisposable file in open)
        {
            file.Dispose();
        }
    }

    private Errno TryAdd(IDisposable file, out FileNumber number)
    {
        Errno errno = TryPlace(file, out number);
        if (!errno.IsOk)
        {
            file.Dispose();
        }

        return errno;
    }

    private Errno TryPlace(IDisposable file, out FileNumber number)
    {
        number = default;
        if (faults.ShouldFail(FaultPoint.Slab))
        {
            return Errno.ENOMEM;
        }

        using RankedLock.Guard held = gate.Enter();
        if (files.Count >= limit)
        {
            return Errno.EMFILE;
        }

        int free = 0;
        foreach (int taken in files.Keys)
        {
            if (taken != free)
            {
                break;
            }

            free++;
        }

        files.Add(free, file);
        number = new FileNumber(free);
        return Errno.Ok;
    }
}

using Mm.Core;
using Mm.Core.Dma;
using Mm.Core.Locking;
using Mm.Core.PhysRanges;
using Mm.Devices.Gpus.Vram;
using Mm.Hmm.Faulting;

namespace Mm.Devices.Gpus.Svm;

/// <content>Where the pages of a range are, and how they come to the GPU.</content>
public sealed partial class GpuSvm
{
    /// <summary>Finds the pages of a range, faulting them in, and maps those in RAM for the GPU; nothing where it knows them.</summary>
    /// <param name="range">The range.</param>
    /// <param name="request">What the GPU wants.</param>
    /// <returns>
    /// Ok; EFAULT: a part of it is unmapped, or a fault failed; EPERM: an area forbids to write; EOPNOTSUPP: some of it lies in RAM and
    /// some on the GPU, or the GPU wants to write pages of its own memory that processes share; EBUSY: others changed it all the
    /// time; ENOMEM: no memory for the books, no I/O addresses; EIO, ENODEV: the GPU does not reach the RAM, or is gone.
    /// </returns>
    /// <remarks><b>Linux:</b> drm_gpusvm_get_pages.</remarks>
    public Errno TryGetPages(SvmRange range, SvmRequest request)
    {
        ArgumentNullException.ThrowIfNull(range);
        var question = new HmmRange(range.Block.Notifier)
        {
            DefaultFlags = request.IsReadOnly ? HmmPfn.RequestFault : HmmPfn.RequestWrite,
            Owner = pagemap,
        };
        ulong untilNs = parts.Machine.Clock.NowNs + Options.RetryNs;
        while (parts.Machine.Clock.NowNs <= untilNs)
        {
            question.Reset(range.Range);
            question.Sequence = range.Block.Notifier.ReadBegin();
            Errno errno = AreValid(range, request) ? Errno.Ok : RangeFault.TryFault(Space, question);
            if (errno == Errno.EBUSY)
            {
                continue;
            }

            if (!errno.IsOk)
            {
                return errno;
            }

            parts.Points?.Reach("svm-pages");
            using RankedLock.Guard held = gate.Enter();
            if (IsKnown(range, request))
            {
                return Errno.Ok;
            }

            if (range.IsUnmapped || isClosed)
            {
                return isClosed ? Errno.ENODEV : Errno.EFAULT;
            }

            // What was read is trusted if nothing was invalidated meanwhile; what was valid may have gone since.
            if (!question.Notifier.IsRetryNeeded(question.Sequence) && question.Pfns[0].IsValid)
            {
                Unmap(range);
                return TryMapPages(range, question.Pfns, request);
            }
        }

        return Errno.EBUSY;
    }

    /// <summary>Whether the GPU knows the pages of a range, and may do with them what it wants.</summary>
    /// <param name="range">The range.</param>
    /// <param name="request">What it wants.</param>
    /// <returns>Whether it does; the answer is of one moment.</returns>
    /// <remarks><b>Linux:</b> drm_gpusvm_range_pages_valid.</remarks>
    public bool AreValid(SvmRange range, SvmRequest request)
    {
        ArgumentNullException.ThrowIfNull(range);
        using RankedLock.Guard held = gate.Enter();
        return IsKnown(range, request);
    }

    /// <summary>Forgets the pages of a range; the memory stays where it is.</summary>
    /// <param name="range">The range.</param>
    /// <remarks><b>Linux:</b> drm_gpusvm_range_unmap_pages.</remarks>
    public void UnmapPages(SvmRange range)
    {
        ArgumentNullException.ThrowIfNull(range);
        using RankedLock.Guard held = gate.Enter();
        Unmap(range);
    }

    /// <summary>Brings a range to the GPU's memory: all of it, or nothing.</summary>
    /// <param name="range">The range.</param>
    /// <param name="request">For how long it stays at least.</param>
    /// <returns>Ok; EBUSY: not private anonymous memory, or a page could not come; ENOMEM: no room on the GPU; ENOENT, EINVAL:
    /// what the range was made for is unmapped; EAGAIN, EIO, ECANCELED: the engine took no job, broke one off, or was reset; ENODEV: the GPU
    /// is gone.</returns>
    /// <remarks><b>Linux:</b> drm_pagemap_migrate_to_devmem.</remarks>
    public Errno TryMigrateToDevice(SvmRange range, SvmRequest request) =>
        TryMigrateToDevice(range, request, [VramPart.Hidden, VramPart.Visible]);

    internal Errno TryMigrateToDevice(SvmRange range, SvmRequest request, ReadOnlySpan<VramPart> choice)
    {
        ArgumentNullException.ThrowIfNull(range);
        if (!range.CanMigrate || isClosed)
        {
            return isClosed ? Errno.ENODEV : Errno.EBUSY;
        }

        Errno errno = pagemap.TryTake(range.Range.Length.ToPagesRoundDown(), choice, out SvmMemory? memory);
        errno = errno.IsOk ? pagemap.TryBring(Space, range.Range, memory!, request.TimesliceNs) : errno;
        range.Memory = errno.IsOk ? memory : range.Memory;
        return errno;
    }

    /// <summary>How many pages of a mapping follow in memory from one on, and are still asked for.</summary>
    /// <param name="word">The page's word: the mapping it is part of may begin before it (museum 28).</param>
    /// <param name="index">Which page of the range it is.</param>
    /// <param name="count">How many pages the range has.</param>
    internal int CountPages(HmmPfn word, int index, int count)
    {
        ulong size = 1UL << word.MapOrder;
        ulong rest = CountsFromMappingStart ? size : size - (word.Frame.Value & (size - 1));
        return CountsFromMappingStart ? (int)rest : (int)Math.Min(rest, (ulong)(count - index));
    }

    private static bool IsKnown(SvmRange range, SvmRequest request) =>
        range.HasPages && (request.IsReadOnly || !range.IsMappedReadOnly);

    // With the gate held.
    private Errno TryMapPages(SvmRange range, ReadOnlySpan<HmmPfn> words, SvmRequest request)
    {
        var entries = new SvmEntry[words.Length];
        var inRam = new List<PhysRange>();
        bool hasDevice = false;
        for (int index = 0; index < words.Length;)
        {
            HmmPfn word = words[index];
            bool isOnDevice = parts.Bytes.Frames.Contains(word.Frame);
            if (!request.IsReadOnly && !word.IsWritable)
            {
                return Errno.EOPNOTSUPP; // a page of ours that processes share: in RAM it can be copied
            }

            int pages = isOnDevice ? 1 : CountPages(word, index, words.Length);
            hasDevice |= isOnDevice;
            if (!isOnDevice)
            {
                inRam.Add(new PhysRange(word.Frame.Address, new PageCount((ulong)pages).ToBytes()));
            }

            if (hasDevice && inRam.Count > 0 && !request.AllowsMixed)
            {
                return Errno.EOPNOTSUPP;
            }

            int end = Math.Min(index + pages, words.Length);
            for (int first = index; index < end; index++)
            {
                Pfn frame = word.Frame.AddChecked(new PageCount((ulong)(index - first)));
                entries[index] = new SvmEntry(frame, default, isOnDevice, !request.IsReadOnly);
            }
        }

        return TryMapRam(range, entries, inRam, request.IsReadOnly);
    }

    private Errno TryMapRam(SvmRange range, SvmEntry[] entries, List<PhysRange> inRam, bool isReadOnly)
    {
        DmaMapping? mapping = null;
        PhysRangeList? list = null;
        if (inRam.Count > 0)
        {
            var builder = new PhysRangeListBuilder(parts.Owners);
            Errno errno = builder.TryAppend(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(inRam));
            list = errno.IsOk ? builder.Build() : null;
            errno = errno.IsOk
                ? dma.TryMap(list!, isReadOnly ? DmaDirection.ToDevice : DmaDirection.Bidirectional, out mapping)
                : errno;
            if (!errno.IsOk)
            {
                list?.Dispose();
                return errno;
            }

            GiveAddresses(entries, mapping!.Segments);
        }

        range.SetPages(entries, mapping, list, isReadOnly);
        return Errno.Ok;
    }

    private static void GiveAddresses(SvmEntry[] entries, ReadOnlySpan<DmaSegment> segments)
    {
        int segment = 0;
        ulong done = 0;
        for (int index = 0; index < entries.Length; index++)
        {
            if (entries[index].IsOnDevice)
            {
                continue;
            }

            while (done >= segments[segment].Length.Value)
            {
                done -= segments[segment++].Length.Value;
            }

            entries[index] = entries[index] with { Address = new DmaAddr(segments[segment].Address.Value + done) };
            done += PageSize.Small.Bytes.Value;
        }
    }
}

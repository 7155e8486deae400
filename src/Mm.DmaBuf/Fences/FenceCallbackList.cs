namespace Mm.DmaBuf.Fences;

/// <summary>The callbacks of one fence in the order of their adding; links lie in the callbacks, so that removal is O(1).</summary>
/// <remarks>A mutable value: a field of its fence, under its lock, never copied but by <see cref="TakeAll"/>.</remarks>
internal struct FenceCallbackList
{
    private FenceCallback? first;
    private FenceCallback? last;

    internal void Append(FenceCallback callback)
    {
        callback.IsArmed = true;
        callback.Previous = last;
        if (last is null)
        {
            first = callback;
        }
        else
        {
            last.Next = callback;
        }

        last = callback;
    }

    internal void Remove(FenceCallback callback)
    {
        if (callback.Previous is null)
        {
            first = callback.Next;
        }
        else
        {
            callback.Previous.Next = callback.Next;
        }

        if (callback.Next is null)
        {
            last = callback.Previous;
        }
        else
        {
            callback.Next.Previous = callback.Previous;
        }

        callback.IsArmed = false;
        callback.Next = null;
        callback.Previous = null;
    }

    /// <summary>Takes the whole list; none of it is armed any more.</summary>
    /// <returns>The first callback, linked to the others by <see cref="FenceCallback.Next"/>.</returns>
    internal FenceCallback? TakeAll()
    {
        FenceCallback? taken = first;
        for (FenceCallback? each = first; each is not null; each = each.Next)
        {
            each.IsArmed = false;
            each.WasTaken = true;
        }

        first = null;
        last = null;
        return taken;
    }
}

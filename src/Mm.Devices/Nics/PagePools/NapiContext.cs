namespace Mm.Devices.Nics.PagePools;

/// <summary>The one place where a receive queue is worked on: a thread is in it, or none is.</summary>
/// <remarks>
/// <para><b>Linux:</b> struct napi_struct and its list_owner (v6.12), as a thread that entered.</para>
/// <para><b>States:</b> idle ↔ entered by one thread.</para>
/// <para><b>Locking:</b> safe from any thread; atomic.</para>
/// </remarks>
public sealed class NapiContext
{
    private int owner; // the managed id of the thread inside; 0 for none; atomic

    /// <summary>Whether the running thread is in it.</summary>
    public bool IsCurrent => Volatile.Read(ref owner) == Thread.CurrentThread.ManagedThreadId;

    /// <summary>Whether a thread is in it.</summary>
    public bool IsEntered => Volatile.Read(ref owner) != 0;

    /// <summary>Enters it.</summary>
    /// <returns>The scope; disposing it leaves.</returns>
    /// <exception cref="InvalidOperationException">A thread is in it, perhaps this one.</exception>
    public Scope Enter()
    {
        if (Interlocked.CompareExchange(ref owner, Thread.CurrentThread.ManagedThreadId, 0) != 0)
        {
            throw new InvalidOperationException("a NAPI context is entered by one thread at a time, once");
        }

        return new Scope(this);
    }

    /// <summary>A thread's time in a context.</summary>
    /// <remarks><c>default</c> is no time, and disposing it does nothing.</remarks>
    public readonly ref struct Scope : IDisposable
    {
        private readonly NapiContext? context;

        internal Scope(NapiContext context) => this.context = context;

        /// <summary>Leaves the context.</summary>
        public void Dispose()
        {
            if (context is not null)
            {
                Volatile.Write(ref context.owner, 0);
            }
        }
    }
}

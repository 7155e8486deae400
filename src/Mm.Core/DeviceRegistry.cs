namespace Mm.Core;

/// <summary>The devices of a machine by name, and the numbers they got.</summary>
/// <remarks>
/// <para><b>Invariants:</b> (1) numbers go up from 1 in the order of registration and are never used again; (2) no two
/// devices share a name.</para>
/// <para><b>Locking:</b> a lock of its own; safe from any thread.</para>
/// </remarks>
internal sealed class DeviceRegistry
{
    private readonly Lock gate = new();
    private readonly List<string> names = []; // protected by gate; device N is at N-1
    private readonly Dictionary<string, DeviceId> ids = []; // protected by gate

    /// <summary>How many devices were registered.</summary>
    internal int Count
    {
        get
        {
            lock (gate)
            {
                return names.Count;
            }
        }
    }

    /// <summary>Registers a device.</summary>
    /// <param name="name">A name that no other device of the machine has.</param>
    /// <returns>Its number.</returns>
    /// <exception cref="ArgumentException">The name is empty or taken.</exception>
    internal DeviceId Register(string name)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        lock (gate)
        {
            var id = new DeviceId(checked((uint)names.Count + 1));
            if (!ids.TryAdd(name, id))
            {
                throw new ArgumentException($"name must be new; '{name}' is {ids[name]}", nameof(name));
            }

            names.Add(name);
            return id;
        }
    }

    /// <summary>The name of a device.</summary>
    /// <param name="id">The device.</param>
    /// <returns>Its name.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The machine has no such device.</exception>
    internal string NameOf(DeviceId id)
    {
        lock (gate)
        {
            return id.IsKnown && id.Value <= (uint)names.Count
                ? names[(int)id.Value - 1]
                : throw new ArgumentOutOfRangeException(nameof(id), id, $"device must be in [1, {names.Count}]; it is {id}");
        }
    }

    /// <summary>Finds a device by name.</summary>
    /// <param name="name">The name.</param>
    /// <param name="id">The device, or none.</param>
    /// <returns>Whether there is one.</returns>
    internal bool TryFind(string name, out DeviceId id)
    {
        lock (gate)
        {
            return ids.TryGetValue(name, out id);
        }
    }
}

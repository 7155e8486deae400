using Mm.Core;
using Mm.Core.Checks;

namespace Mm.Devices.Iommufd;

/// <summary>What every <see cref="IUserPages"/> promises, as code: for the tests of whoever writes one, and for Mm's own calls.</summary>
/// <remarks>
/// A broken promise is a mistake of the implementation's author, hence an <see cref="ArgumentException"/>.
/// <para><b>Locking:</b> stateless.</para>
/// </remarks>
public static class UserPagesContract
{
    /// <summary>Asks for pins, and checks the answer where checks are on.</summary>
    /// <param name="user">The implementation.</param>
    /// <param name="start">The address of the first page.</param>
    /// <param name="isWritable">Whether a device may write to them.</param>
    /// <param name="pins">Where to put the pins.</param>
    /// <param name="pinned">How many were pinned.</param>
    /// <returns>
    /// <see cref="Errno.EFAULT"/>, <see cref="Errno.ENOMEM"/>: what the implementation says.
    /// </returns>
    /// <exception cref="ArgumentException">The answer breaks the contract.</exception>
    public static Errno TryPin(IUserPages user, VirtAddr start, bool isWritable, Span<UserPin> pins, out int pinned)
    {
        ArgumentNullException.ThrowIfNull(user);
        Errno errno = user.TryPin(start, isWritable, pins, out pinned);
        if (Check.Enabled)
        {
            Require(
                errno.IsOk ? pinned > 0 && pinned <= pins.Length : pinned == 0,
                $"TryPin of {pins.Length} pages answered {errno} with {pinned} pinned");
        }

        return errno;
    }

    /// <summary>Holds an implementation to its contract on a page that it says is there, and on one that is not.</summary>
    /// <param name="user">The implementation.</param>
    /// <param name="present">A page that can be read and written.</param>
    /// <param name="absent">A page at which nothing lies.</param>
    /// <exception cref="ArgumentException">A promise is broken.</exception>
    public static void Require(IUserPages user, VirtAddr present, VirtAddr absent)
    {
        ArgumentNullException.ThrowIfNull(user);
        Span<UserPin> pins = new UserPin[2];
        Require(user.TryWrite(present, [0x5a]).IsOk, $"{present} cannot be written");
        Require(TryPin(user, present, isWritable: true, pins, out int pinned).IsOk, $"{present} cannot be pinned");
        Pfn first = pins[0].Page;
        Release(pins[..pinned]);
        Require(TryPin(user, present, isWritable: false, pins[..1], out _).IsOk, $"{present} cannot be pinned to read");
        Require(pins[0].Page == first, $"a page written before must stay at {first}; it is at {pins[0].Page}");
        Release(pins[..1]);
        Span<byte> read = stackalloc byte[1];
        Require(user.TryRead(present, read).IsOk && read[0] == 0x5a, $"{present} does not hold what was written");
        Require(TryPin(user, absent, isWritable: false, pins, out _) == Errno.EFAULT, $"{absent} can be pinned");
        Require(user.TryRead(absent, read) == Errno.EFAULT, $"{absent} can be read");
        Require(user.TryWrite(absent, read) == Errno.EFAULT, $"{absent} can be written");
    }

    private static void Release(ReadOnlySpan<UserPin> pins)
    {
        foreach (UserPin pin in pins)
        {
            pin.Dispose();
        }
    }

    private static void Require(bool holds, string promise)
    {
        if (!holds)
        {
            throw new ArgumentException($"the user's pages break their contract: {promise}");
        }
    }
}

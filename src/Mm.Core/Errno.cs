namespace Mm.Core;

/// <summary>The answer of a modelled call: success, or why the system refuses, with Linux's number and name.</summary>
/// <remarks>
/// A refusal by the modelled system is a value, never an exception; a caller's mistake is an exception, never an
/// <see cref="Errno"/>. An answer must not be dropped: analyzer MM0001 reports it, and <c>_ =</c> says on purpose.
/// <para><b>Linux:</b> include/uapi/asm-generic/errno-base.h and errno.h, include/linux/errno.h (v6.12); Linux returns
/// them negated.</para>
/// <para><c>default</c> is <see cref="Ok"/>. Immutable.</para>
/// </remarks>
public readonly record struct Errno
{
    private readonly short number;

    private Errno(short number) => this.number = number;

    /// <summary>Success.</summary>
    public static Errno Ok => default;

    /// <summary>1: the caller may not do this.</summary>
    public static Errno EPERM => new(1);

    /// <summary>2: there is no such thing.</summary>
    public static Errno ENOENT => new(2);

    /// <summary>4: interrupted.</summary>
    public static Errno EINTR => new(4);

    /// <summary>5: an unknown failure below.</summary>
    public static Errno EIO => new(5);

    /// <summary>6: no such device or address.</summary>
    public static Errno ENXIO => new(6);

    /// <summary>7: the argument is too long.</summary>
    public static Errno E2BIG => new(7);

    /// <summary>9: the handle is not open.</summary>
    public static Errno EBADF => new(9);

    /// <summary>11: not now; the same call may succeed later.</summary>
    public static Errno EAGAIN => new(11);

    /// <summary>12: no memory, address space or overlap-free place is left.</summary>
    public static Errno ENOMEM => new(12);

    /// <summary>13: access is not permitted.</summary>
    public static Errno EACCES => new(13);

    /// <summary>14: an address is not mapped as needed.</summary>
    public static Errno EFAULT => new(14);

    /// <summary>16: somebody uses it.</summary>
    public static Errno EBUSY => new(16);

    /// <summary>17: it is there already.</summary>
    public static Errno EEXIST => new(17);

    /// <summary>19: there is no such device, or it is going away.</summary>
    public static Errno ENODEV => new(19);

    /// <summary>22: an argument is not legal.</summary>
    public static Errno EINVAL => new(22);

    /// <summary>24: the process has too many files open.</summary>
    public static Errno EMFILE => new(24);

    /// <summary>25: the operation does not exist for this object.</summary>
    public static Errno ENOTTY => new(25);

    /// <summary>28: no room is left.</summary>
    public static Errno ENOSPC => new(28);

    /// <summary>29: the position is not legal.</summary>
    public static Errno ESPIPE => new(29);

    /// <summary>31: a page must be unshared first.</summary>
    public static Errno EMLINK => new(31);

    /// <summary>34: the result is out of range.</summary>
    public static Errno ERANGE => new(34);

    /// <summary>35: waiting would never end.</summary>
    public static Errno EDEADLK => new(35);

    /// <summary>38: not implemented by the modelled kernel.</summary>
    public static Errno ENOSYS => new(38);

    /// <summary>61: there is no data.</summary>
    public static Errno ENODATA => new(61);

    /// <summary>62: the time is over.</summary>
    public static Errno ETIME => new(62);

    /// <summary>75: a sum or count does not fit.</summary>
    public static Errno EOVERFLOW => new(75);

    /// <summary>77: the file is in a bad state: not of the kind that is wanted.</summary>
    public static Errno EBADFD => new(77);

    /// <summary>93: the protocol is not supported.</summary>
    public static Errno EPROTONOSUPPORT => new(93);

    /// <summary>95: the operation is not supported here.</summary>
    public static Errno EOPNOTSUPP => new(95);

    /// <summary>98: the address is in use.</summary>
    public static Errno EADDRINUSE => new(98);

    /// <summary>110: waited too long.</summary>
    public static Errno ETIMEDOUT => new(110);

    /// <summary>121: the peer's memory cannot be reached by this device.</summary>
    public static Errno EREMOTEIO => new(121);

    /// <summary>125: cancelled.</summary>
    public static Errno ECANCELED => new(125);

    /// <summary>133: the page has a hardware error.</summary>
    public static Errno EHWPOISON => new(133);

    /// <summary>524: not supported (the kernel's internal number).</summary>
    public static Errno ENOTSUPP => new(524);

    /// <summary>525: a buffer is too small (the kernel's internal number).</summary>
    public static Errno ETOOSMALL => new(525);

    /// <summary>Linux's positive number; 0 for success.</summary>
    public int Number => number;

    /// <summary>Whether the call succeeded.</summary>
    public bool IsOk => number == 0;

    /// <summary>Finds an errno by its name.</summary>
    /// <param name="name">A name as <c>EBUSY</c>, or <c>ok</c>; upper or lower case as written here.</param>
    /// <param name="errno">The errno, or <see cref="Ok"/> when there is none of that name.</param>
    /// <returns>Whether the name is known.</returns>
    public static bool TryParse(string name, out Errno errno)
    {
        errno = default;
        if (name == "ok")
        {
            return true;
        }

        foreach (Errno candidate in All())
        {
            if (candidate.ToString() == name)
            {
                errno = candidate;
                return true;
            }
        }

        return false;
    }

    /// <summary>Throws unless the call succeeded. For tools, tests and samples; a library passes the answer on.</summary>
    /// <exception cref="ErrnoException">The call was refused.</exception>
    public void ThrowIfError()
    {
        if (!IsOk)
        {
            throw new ErrnoException(this);
        }
    }

    /// <summary>Linux's name, as <c>EBUSY</c>; <c>ok</c> for success.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => number switch
    {
        0 => "ok",
        1 => nameof(EPERM),
        2 => nameof(ENOENT),
        4 => nameof(EINTR),
        5 => nameof(EIO),
        6 => nameof(ENXIO),
        7 => nameof(E2BIG),
        9 => nameof(EBADF),
        11 => nameof(EAGAIN),
        12 => nameof(ENOMEM),
        13 => nameof(EACCES),
        14 => nameof(EFAULT),
        16 => nameof(EBUSY),
        17 => nameof(EEXIST),
        19 => nameof(ENODEV),
        22 => nameof(EINVAL),
        24 => nameof(EMFILE),
        25 => nameof(ENOTTY),
        28 => nameof(ENOSPC),
        29 => nameof(ESPIPE),
        31 => nameof(EMLINK),
        34 => nameof(ERANGE),
        35 => nameof(EDEADLK),
        38 => nameof(ENOSYS),
        61 => nameof(ENODATA),
        62 => nameof(ETIME),
        75 => nameof(EOVERFLOW),
        77 => nameof(EBADFD),
        93 => nameof(EPROTONOSUPPORT),
        95 => nameof(EOPNOTSUPP),
        98 => nameof(EADDRINUSE),
        110 => nameof(ETIMEDOUT),
        121 => nameof(EREMOTEIO),
        125 => nameof(ECANCELED),
        133 => nameof(EHWPOISON),
        524 => nameof(ENOTSUPP),
        525 => nameof(ETOOSMALL),
        _ => $"errno {number}",
    };

    private static Errno[] All() =>
    [
        EPERM, ENOENT, EINTR, EIO, ENXIO, E2BIG, EBADF, EAGAIN, ENOMEM, EACCES, EFAULT, EBUSY, EEXIST, ENODEV,
        EINVAL, EMFILE, ENOTTY, ENOSPC, ESPIPE, EMLINK, ERANGE, EDEADLK, ENOSYS, ENODATA, ETIME, EOVERFLOW, EBADFD,
        EPROTONOSUPPORT, EOPNOTSUPP, EADDRINUSE, ETIMEDOUT, EREMOTEIO, ECANCELED, EHWPOISON, ENOTSUPP, ETOOSMALL,
    ];
}

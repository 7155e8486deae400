using System.Reflection;

namespace Mm.Core.Tests;

public sealed class ErrnoTests
{
    // From include/uapi/asm-generic/errno-base.h, errno.h and include/linux/errno.h of v6.12, written here a second time.
    private static readonly Dictionary<string, int> Linux = new(StringComparer.Ordinal)
    {
        ["EPERM"] = 1,
        ["ENOENT"] = 2,
        ["EINTR"] = 4,
        ["EIO"] = 5,
        ["ENXIO"] = 6,
        ["E2BIG"] = 7,
        ["EBADF"] = 9,
        ["EAGAIN"] = 11,
        ["ENOMEM"] = 12,
        ["EACCES"] = 13,
        ["EFAULT"] = 14,
        ["EBUSY"] = 16,
        ["EEXIST"] = 17,
        ["ENODEV"] = 19,
        ["EINVAL"] = 22,
        ["EMFILE"] = 24,
        ["ENOTTY"] = 25,
        ["ENOSPC"] = 28,
        ["ESPIPE"] = 29,
        ["EMLINK"] = 31,
        ["ERANGE"] = 34,
        ["EDEADLK"] = 35,
        ["ENOSYS"] = 38,
        ["ENODATA"] = 61,
        ["ETIME"] = 62,
        ["EOVERFLOW"] = 75,
        ["EBADFD"] = 77,
        ["EPROTONOSUPPORT"] = 93,
        ["EOPNOTSUPP"] = 95,
        ["EADDRINUSE"] = 98,
        ["ETIMEDOUT"] = 110,
        ["EREMOTEIO"] = 121,
        ["ECANCELED"] = 125,
        ["EHWPOISON"] = 133,
        ["ENOTSUPP"] = 524,
        ["ETOOSMALL"] = 525,
    };

    private static IEnumerable<PropertyInfo> Named =>
        typeof(Errno).GetProperties(BindingFlags.Public | BindingFlags.Static).Where(property => property.Name != nameof(Errno.Ok));

    [Test]
    public void Errno_EachName_HasLinuxNumberAndParsesBack()
    {
        Assert.That(Named.Select(property => property.Name), Is.EquivalentTo(Linux.Keys));
        foreach (PropertyInfo property in Named)
        {
            var errno = (Errno)property.GetValue(null)!;

            Assert.That(errno.Number, Is.EqualTo(Linux[property.Name]), property.Name);
            Assert.That(errno.ToString(), Is.EqualTo(property.Name));
            Assert.That(errno.IsOk, Is.False);
            Assert.That(Errno.TryParse(property.Name, out Errno parsed), Is.True);
            Assert.That(parsed, Is.EqualTo(errno));
        }
    }

    [Test]
    public void Default_IsSuccess()
    {
        Assert.That(default(Errno), Is.EqualTo(Errno.Ok));
        Assert.That(Errno.Ok.IsOk, Is.True);
        Assert.That(Errno.Ok.Number, Is.Zero);
        Assert.That(Errno.Ok.ToString(), Is.EqualTo("ok"));
        Assert.That(Errno.TryParse("ok", out Errno parsed), Is.True);
        Assert.That(parsed, Is.EqualTo(Errno.Ok));
    }

    [TestCase("")]
    [TestCase("ebusy")]
    [TestCase("EWHATEVER")]
    [TestCase("16")]
    public void TryParse_UnknownName_IsRefused(string name)
    {
        Assert.That(Errno.TryParse(name, out Errno parsed), Is.False);
        Assert.That(parsed, Is.EqualTo(Errno.Ok));
    }

    [Test]
    public void ThrowIfError_Refusal_ThrowsWithNameAndNumber()
    {
        Assert.That(() => Errno.Ok.ThrowIfError(), Throws.Nothing);
        Assert.That(
            () => Errno.EREMOTEIO.ThrowIfError(),
            Throws.TypeOf<ErrnoException>().With.Message.Contains("EREMOTEIO (121)")
                .And.Property(nameof(ErrnoException.Errno)).EqualTo(Errno.EREMOTEIO));
    }
}

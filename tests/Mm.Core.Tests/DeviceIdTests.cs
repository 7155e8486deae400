namespace Mm.Core.Tests;

public sealed class DeviceIdTests
{
    [Test]
    public void Default_NamesNoDevice()
    {
        Assert.That(default(DeviceId), Is.EqualTo(DeviceId.None));
        Assert.That(DeviceId.None.IsKnown, Is.False);
        Assert.That(DeviceId.None.ToString(), Is.EqualTo("no device"));
    }

    [Test]
    public void New_Ordinal_NamesADevice()
    {
        Assert.That(new DeviceId(3).IsKnown, Is.True);
        Assert.That(new DeviceId(3).ToString(), Is.EqualTo("device 3"));
    }
}

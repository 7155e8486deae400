namespace Mm.Core.Tests;

internal sealed class MachineClockTests
{
    [Test]
    public void Clock_AdvancedByHand_AddsUp()
    {
        var clock = new MachineClock();
        clock.AdvanceNs(5);
        clock.AdvanceNs(2_000_000_000);
        Assert.That(clock.NowNs, Is.EqualTo(2_000_000_005));
        Assert.That(clock.ToString(), Is.EqualTo("2.000000005 s"));
    }

    [Test]
    public void Clock_PastItsEnd_IsRefusedAndStands()
    {
        var clock = new MachineClock();
        clock.AdvanceNs(ulong.MaxValue);
        Assert.That(() => clock.AdvanceNs(1), Throws.InstanceOf<OverflowException>());
        Assert.That(clock.NowNs, Is.EqualTo(ulong.MaxValue));
    }

    [Test]
    public void Clock_Advanced_TellsListenersAfterwards()
    {
        var clock = new MachineClock();
        ulong heard = 0;
        clock.Advanced += (sender, _) => heard = ((MachineClock)sender!).NowNs;
        clock.AdvanceNs(7);
        Assert.That(heard, Is.EqualTo(7));
    }
}

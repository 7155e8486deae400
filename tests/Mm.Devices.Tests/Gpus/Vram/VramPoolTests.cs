using Mm.Core;
using Mm.Core.Checks;
using Mm.Devices.Gpus.Vram;

namespace Mm.Devices.Tests.Gpus.Vram;

internal sealed class VramPoolTests
{
    [Test]
    public void Take_Short_AsksTheOneUsedLongestAgoFirst()
    {
        using Machine machine = Machine.CreateBuilder().Build();
        var pool = new VramPool(machine.Faults, new PageCount(8), new PageCount(8));
        var asked = new List<string>();
        Tenant[] tenants = [.. "abc".Select(name => new Tenant(pool, $"{name}", asked))];
        pool.Touch(tenants[0]);
        var runs = new List<VramRun>();
        Assert.That(pool.TryTakeEvicting(new PageCount(6), VramPart.Visible, runs), Is.EqualTo(Errno.Ok));
        Assert.That((asked, pool.Evictions), Is.EqualTo((new List<string> { "b", "c" }, 2L)));
        Assert.That(pool.TryTakeEvicting(new PageCount(9), VramPart.Visible, runs), Is.EqualTo(Errno.ENOMEM));
        Assert.That(asked, Has.Count.EqualTo(2), "nobody leaves for what will never fit");
    }

    [Test]
    public void Touch_OfATenantThatHasGone_DoesNotBringItBack()
    {
        using Machine machine = Machine.CreateBuilder().Build();
        var pool = new VramPool(machine.Faults, new PageCount(8), new PageCount(8));
        var tenant = new Tenant(pool, "a", []);
        Assert.That(pool.TenantCount, Is.EqualTo(1));
        tenant.TryEvict(VramPart.Visible);
        pool.Touch(tenant);
        Assert.That(pool.TenantCount, Is.Zero);
    }

    [Test]
    public void Return_Twice_IsABug()
    {
        using Machine machine = Machine.CreateBuilder().Build();
        var pool = new VramPool(machine.Faults, new PageCount(70), new PageCount(70));
        var runs = new List<VramRun>();
        pool.TryTake(new PageCount(66), VramPart.Visible, runs).ThrowIfError();
        Assert.That(runs, Is.EqualTo((VramRun[])[new VramRun(PageCount.Zero, new PageCount(66))]));
        Assert.That($"{runs[0]}", Is.EqualTo("vram [0x0, 0x42)"));
        pool.Return(runs);
        Assert.That(() => pool.Return(runs), Throws.InstanceOf<MmBugException>());
    }

    [Test]
    public void Take_PlannedToFail_IsRefused()
    {
        using Machine machine = Machine.CreateBuilder().Build();
        var pool = new VramPool(machine.Faults, new PageCount(4), new PageCount(4));
        machine.Faults.FailNth(FaultPoint.DevicePage, 1);
        Assert.That(pool.TryTakeEvicting(PageCount.One, VramPart.Visible, []), Is.EqualTo(Errno.ENOMEM));
        Assert.That(pool.UsedPages.Value, Is.Zero);
    }

    private sealed class Tenant : IVramTenant
    {
        private readonly VramPool pool;
        private readonly string name;
        private readonly List<string> asked;
        private readonly List<VramRun> runs = [];

        internal Tenant(VramPool pool, string name, List<string> asked)
        {
            (this.pool, this.name, this.asked) = (pool, name, asked);
            pool.TryTake(new PageCount(2), VramPart.Visible, runs).ThrowIfError();
            pool.Add(this);
        }

        public bool TryEvict(VramPart part)
        {
            asked.Add(name);
            pool.Return(runs);
            pool.Forget(this);
            return true;
        }
    }
}

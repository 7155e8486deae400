using Mm.Testing.Interleavings;

namespace Mm.Testing.Tests.Interleavings;

public sealed class ScenarioTests
{
    [TestCase("")]
    [TestCase("two words")]
    [TestCase("a@b")]
    [TestCase("a,b")]
    [TestCase("taken")]
    public void Actor_UnfitName_IsRefused(string name)
    {
        Scenario scenario = new Scenario().Actor("taken", () => { });

        Assert.That(() => scenario.Actor(name, () => { }), Throws.InstanceOf<ArgumentException>());
    }
}

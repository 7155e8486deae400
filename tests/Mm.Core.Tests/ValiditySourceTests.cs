namespace Mm.Core.Tests;

public sealed class ValiditySourceTests
{
    [Test]
    public void Token_UntilInvalidated_IsValid()
    {
        var source = new ValiditySource();
        ValidityToken before = source.Token;
        Assert.That(before.IsValid, Is.True);
        source.Invalidate();
        Assert.That((before.IsValid, source.Token.IsValid), Is.EqualTo((false, true)));
    }

    [Test]
    public void Default_VouchesForNothing() => Assert.That(default(ValidityToken).IsValid, Is.False);

    [Test]
    public void Dependent_SourceInvalidated_EndsToo()
    {
        var source = new ValiditySource();
        var dependent = new ValiditySource();
        source.AddDependent(dependent);
        ValidityToken token = dependent.Token;
        source.Invalidate();
        Assert.That(token.IsValid, Is.False);
    }

    [Test]
    public void Dependent_Invalidated_LeavesItsSourceValid()
    {
        var source = new ValiditySource();
        var dependent = new ValiditySource();
        source.AddDependent(dependent);
        ValidityToken token = source.Token;
        dependent.Invalidate();
        Assert.That(token.IsValid, Is.True);
    }

    [Test]
    public void Dependent_Removed_FollowsNoMore()
    {
        var source = new ValiditySource();
        var dependent = new ValiditySource();
        source.AddDependent(dependent);
        source.RemoveDependent(dependent);
        ValidityToken token = dependent.Token;
        source.Invalidate();
        Assert.That(token.IsValid, Is.True);
    }
}

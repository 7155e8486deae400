namespace Mm.Core.Tests;

public sealed class ValidityTokenTests
{
    [Test]
    public void Default_VouchesForNothing()
    {
        Assert.That(default(ValidityToken).IsValid, Is.False);
    }

    [Test]
    public void IsValid_AfterASecondInvalidation_DoesNotComeBack()
    {
        var source = new ValiditySource();
        ValidityToken token = source.Token;

        source.Invalidate();
        source.Invalidate();

        Assert.That(token.IsValid, Is.False);
    }
}

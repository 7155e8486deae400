using Mm.Core.Checks;
using Mm.Core.Spaces;

namespace Mm.Core.Tests.Spaces;

internal sealed class AnonMappingTests
{
    [TestCase(0UL, 1UL)]
    [TestCase(1UL, 1UL)]
    [TestCase((1UL << 31) - 1, uint.MaxValue)]
    public void Of_AFamilyAndARoot_TellsBoth(ulong family, ulong root)
    {
        var mapping = AnonMapping.Of(family, root);
        Assert.That((mapping.IsAnonymous, mapping.Family, mapping.Root), Is.EqualTo((true, family, root)));
        Assert.That(new AnonMapping(mapping.Bits), Is.EqualTo(mapping));
    }

    [TestCase(1UL << 31, 1UL)]
    [TestCase(1UL, 0UL)]
    [TestCase(1UL, 1UL << 32)]
    public void Of_WhatDoesNotFit_IsABug(ulong family, ulong root) =>
        Assert.That(() => AnonMapping.Of(family, root), Throws.InstanceOf<MmBugException>());

    [TestCase(0UL)]
    [TestCase(2UL)]
    public void IsAnonymous_OfNobodysOrAFilesWord_IsNot(ulong word) =>
        Assert.That(new AnonMapping(word).IsAnonymous, Is.False);
}

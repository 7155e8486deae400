using Mm.Testing.Interleavings;

namespace Mm.Testing.Tests.Interleavings;

public sealed class ScheduleTests
{
    [Test]
    public void Parse_WhatToStringPrinted_IsTheSame()
    {
        Assert.That(Schedule.Parse(" a@start,b@x-y ").ToString(), Is.EqualTo("a@start, b@x-y"));
        Assert.That(Schedule.Parse("").Steps, Is.Empty);
    }

    [TestCase("a")]
    [TestCase("@x")]
    [TestCase("a@")]
    public void Parse_StepWithoutActorOrPoint_IsRefused(string text)
    {
        Assert.That(() => Schedule.Parse(text), Throws.TypeOf<FormatException>());
    }
}

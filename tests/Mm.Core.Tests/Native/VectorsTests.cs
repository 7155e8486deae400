using Mm.Core.Native;

namespace Mm.Core.Tests.Native;

internal sealed class VectorsTests
{
    [TestCase(null, 3, ExpectedResult = 3)]
    [TestCase("", 2, ExpectedResult = 2)]
    [TestCase("nonsense", 3, ExpectedResult = 3)]
    [TestCase("scalar", 3, ExpectedResult = 0)]
    [TestCase("128", 3, ExpectedResult = 1)]
    [TestCase("256", 3, ExpectedResult = 2)]
    [TestCase("512", 3, ExpectedResult = 3)]
    [TestCase("512", 1, ExpectedResult = 1)]
    [TestCase("256", 0, ExpectedResult = 0)]
    public int Level_OfASettingAndAProcessor_IsTheNarrower(string? setting, int supported) =>
        (int)Vectors.Choose(setting, (VectorLevel)supported);
}

using Mm.Core;
using Mm.Devices.Nvme;

namespace Mm.Devices.Tests.Nvme;

internal sealed class NvmeCommandTests
{
    [Test]
    public void Command_Written_ReadsBackAndHasItsFieldsInPlace()
    {
        var command = new NvmeCommand(NvmeOpcode.Read, 0x1234, 7, IsSgl: true, new DmaAddr(0x1122_3344_5566_7788), 0x99, 0x1_0000_0001, 65_536);
        byte[] bytes = new byte[NvmeCommand.Size];
        command.WriteTo(bytes);

        Assert.That(NvmeCommand.ReadFrom(bytes), Is.EqualTo(command));
        Assert.That((bytes[0], bytes[1], bytes[2], bytes[4], bytes[24], bytes[32], bytes[40], bytes[48], bytes[49]), Is.EqualTo(
            ((byte)2, (byte)0x40, (byte)0x34, (byte)7, (byte)0x88, (byte)0x99, (byte)1, (byte)0xff, (byte)0xff)));
    }

    [Test]
    public void Completion_Written_ReadsBackAndHasThePhaseInBit0OfItsLastWord()
    {
        var completion = new NvmeCompletion(0xabcd, 5, NvmeStatus.ReadError, Phase: true);
        byte[] bytes = new byte[NvmeCompletion.Size];
        completion.WriteTo(bytes);

        Assert.That(NvmeCompletion.ReadFrom(bytes), Is.EqualTo(completion));
        Assert.That((bytes[12], bytes[13], bytes[14]), Is.EqualTo(((byte)0xcd, (byte)0xab, (byte)0x03)));
    }
}

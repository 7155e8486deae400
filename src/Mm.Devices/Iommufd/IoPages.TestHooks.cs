namespace Mm.Devices.Iommufd;

/// <content>Where faults of the past are put back in; see <see cref="IommufdContext"/>.</content>
internal sealed partial class IoPages
{
    // Unpins the pages from first to before end that nobody holds.
    private void Unpin(ulong first, ulong end)
    {
        ulong carried = 0;
        for (ulong index = first; index < end; index++)
        {
            if (SlotOf(index).Holders > 0 && !context.UnpinsUnderAccess)
            {
                carried++;
                continue;
            }

            Unpin(context.CarryKeepsFirst ? index - carried : index);
        }
    }
}

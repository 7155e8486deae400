namespace Mm.Devices.Iommufd;

/// <summary>Who pins pages through a <see cref="SpaceAccess"/>: told when mappings are about to go.</summary>
/// <remarks>
/// <para><b>Linux:</b> struct iommufd_access_ops (include/linux/iommufd.h, v6.12).</para>
/// <para><b>Locking:</b> called with none of the space's locks held, from the thread that unmaps.</para>
/// </remarks>
public interface ISpaceAccessOwner
{
    /// <summary>Mappings go. Every pin that shares a byte with them must be disposed before this returns.</summary>
    /// <param name="range">The addresses.</param>
    void OnUnmap(IoRange range);
}

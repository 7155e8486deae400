namespace Mm.Devices.Iommufd;

/// <summary>Addresses that no mapping may use, and for whom.</summary>
/// <remarks><b>Linux:</b> struct iopt_reserved (v6.12). Immutable.</remarks>
/// <param name="Range">The addresses.</param>
/// <param name="Owner">The domain that cannot translate them; null for whoever asked the space.</param>
internal sealed record IoReservation(IoRange Range, IoDomain? Owner);

using Mm.Core;
using Mm.Core.Frames;

namespace Mm.Devices.Iommufd;

/// <summary>One page of a user, held for DMA.</summary>
/// <remarks>
/// Owns its pin. The zero page is held without one: it is nobody's and never goes, and since pins of it are not counted,
/// dropping them must count nothing either.
/// <para><b>Linux:</b> what pin_user_pages gives for one page (mm/gup.c, v6.12), with is_zero_page's exception.</para>
/// <para><b>Locking:</b> as <see cref="PagePin"/>.</para>
/// <para><c>default</c> holds nothing; disposing it does nothing.</para>
/// </remarks>
public readonly struct UserPin : IDisposable
{
    /// <summary>A page that is pinned.</summary>
    /// <param name="pin">The pin, which belongs to the result from here on.</param>
    public UserPin(PagePin pin)
    {
        Page = pin.Page;
        Pin = pin;
    }

    private UserPin(Pfn page) => Page = page;

    /// <summary>The page.</summary>
    public Pfn Page { get; }

    /// <summary>The pin; empty for the zero page.</summary>
    public PagePin Pin { get; }

    /// <summary>The zero page, which is not pinned.</summary>
    /// <param name="page">Its frame.</param>
    /// <returns>The page, held without a pin.</returns>
    public static UserPin OfZeroPage(Pfn page) => new(page);

    /// <summary>Drops the pin.</summary>
    public void Dispose() => Pin.Dispose();
}

namespace Mm.Core;

/// <summary>A named place where a <see cref="FaultInjector"/> can make the modelled system refuse.</summary>
/// <remarks>
/// A room declares its points as static readonly fields and asks <see cref="FaultInjector.ShouldFail"/> before it takes
/// the resource that the point is named after, so that a refusal undoes nothing.
/// <para><b>Linux:</b> a struct fault_attr, as failslab or fail_page_alloc (v6.12).</para>
/// <para><c>default</c> has no name and is not a point. Immutable.</para>
/// </remarks>
/// <param name="Name">The name, as <c>fail_page_alloc</c>.</param>
public readonly record struct FaultPoint(string Name)
{
    /// <summary>The page allocator finds no page. <b>Linux:</b> fail_page_alloc.</summary>
    public static FaultPoint PageAlloc { get; } = new("fail_page_alloc");

    /// <summary>A driver hands out a page of its device's memory.</summary>
    public static FaultPoint DevicePage { get; } = new("fail_device_page");

    /// <summary>The kernel's own small memory runs out. <b>Linux:</b> failslab.</summary>
    public static FaultPoint Slab { get; } = new("failslab");

    /// <summary>The name.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => Name ?? "no point";
}

using Mm.P2pDma.Importers.Reading;

namespace Mm.P2pDma.Importers.Sysfs;

/// <summary>Reads a sysfs tree from a folder: an unpacked archive, a copy of <c>/sys</c>, or <c>/sys</c> itself.</summary>
/// <remarks>
/// Links are read, never followed: they resolve inside the folder or refuse it. Only folders that can matter are looked
/// into. The folder must hold <c>sys</c> (and perhaps <c>proc</c>), or be a <c>sys</c> itself (with <c>bus</c> and <c>devices</c>).
/// <para><b>Locking:</b> stateless.</para>
/// </remarks>
public static class SysfsFolder
{
    /// <summary>Reads a machine.</summary>
    /// <param name="path">The folder.</param>
    /// <param name="limits">How much to take.</param>
    /// <returns>The machine, or why there is none.</returns>
    public static ImportResult Import(string path, ImportLimits limits)
    {
        ArgumentNullException.ThrowIfNull(path);
        ArgumentNullException.ThrowIfNull(limits);
        var log = new ImportLog(path, limits);
        try
        {
            SysfsTree tree = new SysfsFolderWalk(log).Gather(new DirectoryInfo(path));
            if (tree.IsEmpty)
            {
                log.Error(log.At(0, 0), "there is no sysfs tree in the folder", "", "sys/bus/pci/devices or sys/devices in it");
            }

            return log.Finish(SysfsTarImporter.FormatName, () => new SysfsReader(tree, log).Build());
        }
        catch (ImportRefusedException refusal)
        {
            return log.Refuse(SysfsTarImporter.FormatName, refusal.Error);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return log.Refuse(
                SysfsTarImporter.FormatName, new ImportError(log.At(0, 0), "the folder cannot be read", exception.Message, ""));
        }
    }
}

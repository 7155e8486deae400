using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;

namespace Mm.Analyzers;

/// <summary>MM0001: a statement drops the <c>Errno</c> that a call answers with.</summary>
/// <remarks>
/// A refusal is a value in Mm, and a value is easily lost; this makes losing it an error. It looks at whole statements
/// whose value is an <c>Errno</c>, a <c>Task</c> or <c>ValueTask</c> of one, or a nullable one from <c>?.</c>; the
/// bodies of void lambdas count as statements. <c>_ = call();</c> drops on purpose. What happens to an answer that was
/// stored is not its business: IDE0059 and the reviewer see to that.
/// <para><b>Linux:</b> __must_check (v6.12).</para>
/// <para><b>Locking:</b> none; the analysis holds no state between statements.</para>
/// </remarks>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class DroppedErrnoAnalyzer : DiagnosticAnalyzer
{
    /// <summary>The rule's identity.</summary>
    public const string DiagnosticId = "MM0001";

    private static readonly DiagnosticDescriptor Rule = new(
        DiagnosticId,
        "An Errno answer is dropped",
        "The Errno that '{0}' answers with is dropped; test it, pass it on, or write '_ =' to drop it on purpose",
        "Errors",
        DiagnosticSeverity.Error,
        isEnabledByDefault: true,
        description: "A refusal is a value. A caller that does not look at it goes on as if the call had succeeded.");

    /// <inheritdoc/>
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics => ImmutableArray.Create(Rule);

    /// <inheritdoc/>
    public override void Initialize(AnalysisContext context)
    {
        context.ConfigureGeneratedCodeAnalysis(GeneratedCodeAnalysisFlags.None);
        context.EnableConcurrentExecution();
        context.RegisterCompilationStartAction(static start =>
        {
            INamedTypeSymbol? errno = start.Compilation.GetTypeByMetadataName("Mm.Core.Errno");
            if (errno is not null)
            {
                start.RegisterOperationAction(
                    operation => Inspect(operation, errno), OperationKind.ExpressionStatement);
            }
        });
    }

    private static void Inspect(OperationAnalysisContext context, INamedTypeSymbol errno)
    {
        IOperation value = ((IExpressionStatementOperation)context.Operation).Operation;

        // An assignment has the type of what it assigns, and keeps it.
        if (value is not IAssignmentOperation && Carries(value.Type, errno))
        {
            context.ReportDiagnostic(Diagnostic.Create(Rule, value.Syntax.GetLocation(), NameOf(value)));
        }
    }

    private static bool Carries(ITypeSymbol? type, INamedTypeSymbol errno)
    {
        if (SymbolEqualityComparer.Default.Equals(type, errno))
        {
            return true;
        }

        return type is INamedTypeSymbol { TypeArguments.Length: 1 } wrapper
            && IsWrapper(wrapper)
            && SymbolEqualityComparer.Default.Equals(wrapper.TypeArguments[0], errno);
    }

    private static bool IsWrapper(INamedTypeSymbol type) =>
        type.OriginalDefinition.SpecialType == SpecialType.System_Nullable_T || type.Name is "Task" or "ValueTask";

    private static string NameOf(IOperation value) => value switch
    {
        IInvocationOperation call => call.TargetMethod.Name,
        IAwaitOperation wait => NameOf(wait.Operation),
        IConditionalAccessOperation access => NameOf(access.WhenNotNull),
        _ => value.Syntax.ToString(),
    };
}

//! The functions, by name, and where each is done.
//!
//! Spec: FHIRPath N1 #functions, R4 fhirpath.html#functions

mod collections;
mod conversion;
mod fhir;
mod math;
mod strings;

use std::ops::RangeInclusive;

pub(super) use math::arithmetic;

use super::EvaluationError;
use super::ast::Expr;
use super::evaluate::{Evaluation, Outcome, Scope};
use super::node::Node;

macro_rules! functions {
    ($($family:ident { $($variant:ident $name:literal $least:literal ..= $most:literal,)+ })+) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Function { $($($variant,)+)+ }

        impl Function {
            /// The function called `name`, and how many arguments it takes.
            pub(super) fn named(name: &str) -> Option<(Function, RangeInclusive<usize>)> {
                Some(match name {
                    $($($name => (Function::$variant, $least..=$most),)+)+
                    _ => return None,
                })
            }

            /// As expressions write it.
            pub(super) fn name(self) -> &'static str {
                match self { $($(Function::$variant => $name,)+)+ }
            }
        }

        /// Applies a function to `input`.
        pub(super) fn call<'a>(
            evaluation: &Evaluation<'_, 'a>,
            function: Function,
            arguments: &[Expr],
            input: &[Node<'a>],
            scope: Scope<'_, 'a>,
        ) -> Outcome<'a> {
            match function {
                $($(Function::$variant)|+ => $family::call(evaluation, function, arguments, input, scope),)+
            }
        }
    };
}

functions! {
    collections {
        Empty "empty" 0..=0,
        Exists "exists" 0..=1,
        Not "not" 0..=0,
        All "all" 1..=1,
        AllTrue "allTrue" 0..=0,
        AnyTrue "anyTrue" 0..=0,
        AllFalse "allFalse" 0..=0,
        AnyFalse "anyFalse" 0..=0,
        SubsetOf "subsetOf" 1..=1,
        SupersetOf "supersetOf" 1..=1,
        Count "count" 0..=0,
        Distinct "distinct" 0..=0,
        IsDistinct "isDistinct" 0..=0,
        Where "where" 1..=1,
        Select "select" 1..=1,
        Repeat "repeat" 1..=1,
        Single "single" 0..=0,
        First "first" 0..=0,
        Last "last" 0..=0,
        Tail "tail" 0..=0,
        Skip "skip" 1..=1,
        Take "take" 1..=1,
        Intersect "intersect" 1..=1,
        Exclude "exclude" 1..=1,
        Union "union" 1..=1,
        Combine "combine" 1..=1,
        Iif "iif" 2..=3,
        Aggregate "aggregate" 1..=2,
        Sort "sort" 0..=8,
        Trace "trace" 1..=2,
    }
    conversion {
        ToBoolean "toBoolean" 0..=0,
        ToInteger "toInteger" 0..=0,
        ToDecimal "toDecimal" 0..=0,
        ToText "toString" 0..=0,
        ToDate "toDate" 0..=0,
        ToDateTime "toDateTime" 0..=0,
        ToTime "toTime" 0..=0,
        ToQuantity "toQuantity" 0..=1,
        ConvertsToBoolean "convertsToBoolean" 0..=0,
        ConvertsToInteger "convertsToInteger" 0..=0,
        ConvertsToDecimal "convertsToDecimal" 0..=0,
        ConvertsToText "convertsToString" 0..=0,
        ConvertsToDate "convertsToDate" 0..=0,
        ConvertsToDateTime "convertsToDateTime" 0..=0,
        ConvertsToTime "convertsToTime" 0..=0,
        ConvertsToQuantity "convertsToQuantity" 0..=1,
        Now "now" 0..=0,
        Today "today" 0..=0,
        TimeOfDay "timeOfDay" 0..=0,
    }
    fhir {
        Extension "extension" 1..=1,
        HasExtension "hasExtension" 1..=1,
        HasValue "hasValue" 0..=0,
        GetValue "getValue" 0..=0,
        Resolve "resolve" 0..=0,
        GetResourceKey "getResourceKey" 0..=0,
        Children "children" 0..=0,
        Descendants "descendants" 0..=0,
        Type "type" 0..=0,
        MemberOf "memberOf" 1..=1,
        Subsumes "subsumes" 1..=1,
        SubsumedBy "subsumedBy" 1..=1,
        ConformsTo "conformsTo" 1..=1,
        HtmlChecks "htmlChecks" 0..=0,
        ElementDefinition "elementDefinition" 0..=0,
        Slice "slice" 2..=2,
        CheckModifiers "checkModifiers" 0..=8,
    }
    strings {
        IndexOf "indexOf" 1..=1,
        LastIndexOf "lastIndexOf" 1..=1,
        Substring "substring" 1..=2,
        StartsWith "startsWith" 1..=1,
        EndsWith "endsWith" 1..=1,
        Contains "contains" 1..=1,
        Upper "upper" 0..=0,
        Lower "lower" 0..=0,
        Replace "replace" 2..=2,
        Matches "matches" 1..=1,
        MatchesFull "matchesFull" 1..=1,
        ReplaceMatches "replaceMatches" 2..=2,
        Length "length" 0..=0,
        ToChars "toChars" 0..=0,
        Trim "trim" 0..=0,
        Split "split" 1..=1,
        Join "join" 0..=1,
        Encode "encode" 1..=1,
        Decode "decode" 1..=1,
        Escape "escape" 1..=1,
        Unescape "unescape" 1..=1,
    }
    math {
        Abs "abs" 0..=0,
        Ceiling "ceiling" 0..=0,
        Exp "exp" 0..=0,
        Floor "floor" 0..=0,
        Ln "ln" 0..=0,
        Log "log" 1..=1,
        Power "power" 1..=1,
        Round "round" 0..=1,
        Sqrt "sqrt" 0..=0,
        Truncate "truncate" 0..=0,
        LowBoundary "lowBoundary" 0..=1,
        HighBoundary "highBoundary" 0..=1,
        Precision "precision" 0..=0,
        Comparable "comparable" 1..=1,
    }
}

/// The answer of a function that this engine knows by name only.
fn unsupported<'a>(function: Function) -> Outcome<'a> {
    Err(EvaluationError::Unsupported(function.name()))
}

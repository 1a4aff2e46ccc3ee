"""Plans of any shape, for what must hold under all of them."""

from __future__ import annotations

from collections.abc import Sequence

from evenhand.plan.models import Plan


def any_plan(
    features: int = 3,
    k: int = 2,
    attributes: Sequence[int] = (2, -1),
    crossed: bool = False,
    mitigation: str | None = None,
    epsilon: float = 1.0,
    delta: float | None = None,
    expected: int = 1000,
    bounds: bool = True,
    log: bool = False,
    weights: Sequence[float] = (1.0,),
    distribution: bool = False,
    categories: Sequence[int] = (),
) -> Plan:
    """`attributes`: of each the number of its groups, or below zero of its bands; `crossed`: with an intersection of the first two;
    `weights`: of the features, the last for all that are left; `distribution`: all are sums over events, and it is asked how they are
    distributed; `categories`: of each column that has some how many it names, beside all others."""
    limits = [0, 100] if bounds else None
    scale = "log" if log else "linear"
    kinds = [
        {"groups": {f"g{j}": [j] for j in range(n)}} if n > 0 else {"bands": list(range(10, 10 - 10 * n, 10))} for n in attributes
    ]
    computed = {"events": "e", "expression": "sum(x)"}
    fairness: dict[str, object] = {"intersections": [["a0", "a1"]] if crossed else []}
    events = {"e": {"path": "none", "id": "customer_id", "time": "at"}} if distribution else {}
    if mitigation is not None:
        fairness["mitigation"] = {"method": mitigation, "justification": "audit"}
    return Plan.model_validate(
        {
            "name": "any",
            "purpose": "audit",
            "description": "Any plan.",
            "legal_basis": "consent",
            "sources": {"customers": {"path": "none", "id": "customer_id"}, "consent": {"path": "none"}, "events": events},
            "features": [
                {
                    "name": f"f{j}",
                    "why": "audit",
                    **(computed if distribution else {"column": f"f{j}"}),
                    "bounds": limits,
                    "missing": 0,
                    "scale": scale,
                    "weight": weight,
                }
                for j, weight in enumerate([*weights, *[weights[-1]] * features][:features])
            ]
            + [
                {
                    "kind": "categories",
                    "name": f"c{i}",
                    "why": "audit",
                    "column": f"c{i}",
                    "categories": {f"v{v}": [f"v{v}"] for v in range(n)},
                }
                for i, n in enumerate(categories)
            ],
            "protected": [{"name": f"a{i}", "why": "audit", "column": f"a{i}", **kind} for i, kind in enumerate(kinds)],
            "segments": {"k": k} | ({"distribution": {"share": 0.1}} if distribution else {}),
            "privacy": {
                "epsilon": epsilon,
                "population": "any",
                "population_total": 1000.0,
                "expected_customers": expected,
                "delta": delta,
                "population_delta": delta or 0.0,
            },
            "pseudonyms": {"key_id": "none", "key_env": "NONE"},
            "fairness": fairness,
            "output": {"restricted": {"path": "none/restricted"}, "open": {"path": "none/open"}},
        }
    )

"""The rewriting that puts seals in: modules under paths, and rules that speak to them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from bloomish import ir
from bloomish.analysis.coordination.partitions import WHOLE, by_end
from bloomish.analysis.coordination.specialised import free_names, specialised
from bloomish.analysis.coordination.splice import (
    free_path,
    merged,
    module,
    new_rules,
    replace_rules,
    role_of,
    with_role,
)
from bloomish.analysis.coordination.streams import Question, Stream, Survey
from bloomish.analysis.graph import Unit, Use
from bloomish.cluster import CompiledCluster
from bloomish.rename import embedded

MODULE = "bloomish.programs.sealing"
ORIGIN = "coordination: seal"
YES = ir.Const(True)
ADDRESS = ir.Plain("Address")


@dataclass(frozen=True, slots=True)
class Place:
    """A stream in its module: under which path, and in which order its columns stand there."""

    stream: Stream
    channel: bool
    path: str
    part: tuple[ir.Column, ...]
    row: tuple[ir.Column, ...]
    order: tuple[int, ...]
    """The stream's columns, without the address, as `part` and `row` have them; those of a
    stream that ends as a whole are all in `row`."""

    @property
    def rows(self) -> str:
        """What a question reads."""
        return f"{self.path}.{'arrived' if self.channel else 'kept'}"

    @property
    def complete(self) -> str:
        return f"{self.path}.{'complete' if self.channel else 'closed'}"

    def arranged(self, args: Sequence[ir.HeadArg]) -> tuple[ir.HeadArg, ...]:
        """A stream's arguments as the module has them."""
        mark: tuple[ir.HeadArg, ...] = () if self.stream.part else (YES,)
        return (*mark, *(args[at] for at in self.order))


class Splice:
    """All questions at once, so that they share streams and ends."""

    def __init__(
        self, given: CompiledCluster, survey: Survey, questions: Sequence[Question]
    ) -> None:
        self.deployed = given
        self.survey, self.system = survey, survey.system
        self.questions = questions
        self.inserted: list[str] = []
        self.path = free_path(given, "seal")
        self.places: dict[str, Place] = {}
        self.inner: dict[tuple[str, str], ir.Program] = {}
        """(role, path) -> what is embedded there."""
        self.outer: dict[str, list[ir.Rule]] = {}
        """Role -> rules that give to what is embedded."""
        self.signals: dict[str, str] = {}
        """Role -> the input by which its hosts end."""
        self.kept: dict[tuple[str, str], str] = {}
        """(role, collection) -> the table that keeps what passes by."""

    def insert(self) -> CompiledCluster:
        """The deployment with the seals in it."""
        given = self.deployed
        for node, stream in self.survey.streams.items():
            self.places[node] = self._place(node, stream)
        for node, place in self.places.items():
            if place.stream.goes_round:
                self._embed_round(node, place)
            elif place.channel:
                self._embed_channel(node, place)
            else:
                self._embed_input(place)
        for role in self.system.roles:
            self._hosts(role)
            self._ends(role)
            self._keep(role)
        for role in self.system.roles:
            self._rewrite(role)
        self._vouch_anew()
        for (role, _), inner in self.inner.items():
            outer = role_of(self.deployed, role).program
            self._put(role, merged(outer, inner))
        for role, rules in self.outer.items():
            program = role_of(self.deployed, role).program
            self._put(role, replace(program, rules=(*program.rules, *rules)))
        self.inserted = new_rules(given, self.deployed)
        return self.deployed

    def _vouch_anew(self) -> None:
        """What a program assumes of a channel holds of its rows where they are now."""
        for node, place in self.places.items():
            if not place.channel:
                continue
            declared = self.system.nodes[node]
            moved = dict(
                zip(place.order, (*place.part, *place.row)[-len(place.order) :], strict=True)
            )
            names = {declared.columns[at].name: column.name for at, column in moved.items()}
            for role in self.declaring(node):
                program = role_of(self.deployed, role).program
                name = next(c.name for c in program.collections if c.wire == self._wire(node))
                old = [one for one in program.assumptions if one.collection == name]
                kept = tuple(one for one in program.assumptions if one.collection != name)
                self._put(role, replace(program, assumptions=kept))
                inner = self.inner[role, place.path]
                has = {c.name for c in inner.collections}
                new = [
                    replace(
                        one,
                        collection=f"{place.path}.{at}",
                        key=tuple(names.get(column, "to") for column in one.key),
                        value=tuple(names.get(column, "to") for column in one.value),
                    )
                    for one in old
                    for at in ("item", "arrived")
                    if f"{place.path}.{at}" in has
                    and (at == "item" or {*one.key, *one.value} <= names.keys())
                ]
                inner = replace(inner, assumptions=(*inner.assumptions, *new))
                self.inner[role, place.path] = inner

    def _put(self, role: str, program: ir.Program) -> None:
        self.deployed = with_role(self.deployed, role, program, self.deployed.externals[role])

    # ------------------------------------------------------------------ modules

    def _place(self, node: str, stream: Stream) -> Place:
        declared = self.system.nodes[node]
        channel = declared.kind == "channel"
        own = range(1 if channel else 0, len(declared.columns))
        order = (*stream.part, *(at for at in own if at not in stream.part))
        chosen = [declared.columns[at] for at in order]
        if not stream.part:
            chosen.insert(0, WHOLE)
        name = ("Terminating" if stream.goes_round else "Both") if channel else "Keeper"
        columns = free_names(chosen, module(f"{MODULE}:{name}").program)
        width = len(stream.part) or 1
        name = declared.collection.name.replace(".", "_")
        path = free_path(self.deployed, f"{self.path}_{name}")
        while any(place.path == path for place in self.places.values()):
            path += "_"
        return Place(stream, channel, path, columns[:width], columns[width:], order)

    def _module(self, place: Place, name: str) -> ir.Program:
        program = module(f"{MODULE}:{name}").program
        program = specialised(program, {"part": place.part, "row": place.row})
        program = replace(program, span=ir.Span(), doc="")
        inner = embedded(program, place.path)
        return replace(inner, rules=tuple(replace(rule, origin=ORIGIN) for rule in inner.rules))

    def _embed_round(self, node: str, place: Place) -> None:
        """All who have the channel send, keep, and find out together that it has ended."""
        peers = self.declaring(node)
        for role in peers:
            inner = self._roster(self._module(place, "Terminating"), place.path, peers, "peers")
            if all(end.at_once for end in place.stream.ends if end.role == role):
                once = ir.Atom(f"{place.path}.peers", (ir.Wild(),))
                inner = self._with_rule(inner, f"{place.path}.ends", (YES,), (once,))
            self.inner[role, place.path] = inner

    def _embed_channel(self, node: str, place: Place) -> None:
        senders = list(dict.fromkeys(unit.role for unit in place.stream.senders))
        receivers = self.receivers(node)
        for role in self.declaring(node):
            sends, asks = role in senders, role in receivers
            name = {(True, True): "Both", (True, False): "Sender", (False, True): "Receiver"}
            inner = self._module(place, name.get((sends, asks), "Sealing"))
            if sends:
                inner = self._roster(inner, place.path, receivers, "consumers")
                ends = [end for end in place.stream.ends if end.role == role]
                if all(end.at_once for end in ends):
                    once = ir.Atom(f"{place.path}.consumers", (ir.Wild(),))
                    inner = self._with_rule(inner, f"{place.path}.ends", (YES,), (once,))
            if asks:
                inner = self._roster(inner, place.path, senders, "producers")
            self.inner[role, place.path] = inner

    def _embed_input(self, place: Place) -> None:
        (end,) = place.stream.ends
        self.inner[end.role, place.path] = self._module(place, "Keeper")
        own = self.system.nodes[place.stream.node].collection
        variables = tuple(ir.Var(column.name) for column in own.columns)
        self._outside(
            end.role,
            f"{place.path}.give",
            place.arranged(variables),
            (ir.Atom(own.name, variables),),
        )

    def _wire(self, node: str) -> str:
        return self.system.nodes[node].collection.wire

    def _roster(self, inner: ir.Program, path: str, roles: Iterable[str], into: str) -> ir.Program:
        """`into(node)` for all nodes of these roles, who never change."""
        address = ir.Var("node")
        for role in roles:
            name = f"{path}.{role}_nodes"
            if all(c.name != name for c in inner.collections):
                columns = (ir.Column("address", ADDRESS),)
                nodes = ir.Collection(name, "roster", columns, role=role)
                inner = replace(inner, collections=(nodes, *inner.collections))
            inner = self._with_rule(
                inner, f"{path}.{into}", (address,), (ir.Atom(name, (address,)),)
            )
        return inner

    def _with_rule(
        self,
        inner: ir.Program,
        head: str,
        args: tuple[ir.HeadArg, ...],
        body: tuple[ir.Literal, ...],
    ) -> ir.Program:
        return replace(inner, rules=(*inner.rules, self._rule(inner.rules, head, args, body)))

    def _rule(
        self,
        others: Iterable[ir.Rule],
        head: str,
        args: tuple[ir.HeadArg, ...],
        body: tuple[ir.Literal, ...],
    ) -> ir.Rule:
        number = 1 + sum(rule.head == head for rule in others)
        return ir.Rule(f"{head}_{number}", head, args, "<=", body, ORIGIN)

    def _outside(
        self,
        role: str,
        head: str,
        args: tuple[ir.HeadArg, ...],
        body: tuple[ir.Literal, ...],
    ) -> None:
        """A rule by which the program gives to what is embedded."""
        rules = self.outer.setdefault(role, [])
        inner = [rule for (at, _), one in self.inner.items() if at == role for rule in one.rules]
        rules.append(self._rule((*inner, *rules), head, args, body))

    # --------------------------------------------------------------------- ends

    def _hosts(self, role: str) -> None:
        """How the hosts of a role end what they feed, if they must."""
        ways = {
            by_end(place.stream, end)
            for place in self.places.values()
            for end in place.stream.ends
            if end.role == role and end.inputs
        }
        if not ways:
            return
        (columns,) = ways
        over = f"{self.path}.over"
        table = ir.Collection(over, "table", columns or (WHOLE,), durable=True)
        declared = self._declared(role, columns)
        inner = ir.Program(self.path, (table,), ())
        if declared is not None:
            self.signals[role] = declared.name
            keys = {column.name for column in columns}
            args = tuple(
                ir.Var(column.name) if column.name in keys else ir.Wild()
                for column in declared.columns
            )
            self._at(role, inner)
            self._outside(role, over, _names(columns), (ir.Atom(declared.name, args),))
            return
        end = f"{self.path}.end"
        self.signals[role] = end
        said = ir.Collection(end, "input", columns or (WHOLE,))
        names = _names(columns)
        asked = names if columns else (ir.Wild(),)
        inner = replace(
            inner,
            collections=(said, table),
            rules=(self._rule((), over, names, (ir.Atom(end, asked),)),),
            assumptions=(ir.Assume("ends", end, tuple(column.name for column in columns)),),
        )
        self._at(role, inner)

    def _at(self, role: str, inner: ir.Program) -> None:
        known = self.inner.get((role, self.path))
        self.inner[role, self.path] = inner if known is None else merged(known, inner)

    def _declared(self, role: str, columns: tuple[ir.Column, ...]) -> ir.Collection | None:
        """The input that means the same in the program already."""
        program = role_of(self.deployed, role).program
        names = {column.name for column in columns}
        for assumption in program.assumptions:
            if assumption.kind == "ends" and set(assumption.key) == names:
                return next(c for c in program.collections if c.name == assumption.collection)
        return None

    def _ends(self, role: str) -> None:
        """What ends each stream that the role sends or keeps."""
        for place in self.places.values():
            ends = [end for end in place.stream.ends if end.role == role]
            body: dict[ir.Atom, None] = {}
            for end in ends:
                names = _names(by_end(place.stream, end))
                if end.inputs:
                    body[ir.Atom(f"{self.path}.over", names)] = None
                for node in end.channels:
                    body[ir.Atom(self.places[node].complete, (YES,))] = None
                for node in end.sealed:
                    contract = self.survey.contracts.by_rows[node]
                    complete = self.system.nodes[contract.complete].collection.name
                    body[ir.Atom(complete, names)] = None
            if body:
                names = _names(by_end(place.stream, next(e for e in ends if not e.at_once)))
                self._outside(role, f"{place.path}.ends", names, tuple(body))

    # --------------------------------------------------------------------- rules

    def _keep(self, role: str) -> None:
        """Tables for what passes by before the answer is there."""
        for question in self.questions:
            if question.unit.role != role:
                continue
            for use in question.passing:
                if use.node not in self.places and (role, use.node) not in self.kept:
                    self._keep_one(role, use)

    def _keep_one(self, role: str, use: Use) -> None:
        own = self.system.nodes[use.node].collection
        last = use.atom.collection.rpartition(".")[2]
        name, number = f"{self.path}.{last}", 1
        while name in self.kept.values() or last in ("end", "over"):
            number += 1
            name = f"{self.path}.{last}_{number}"
            if name not in self.kept.values():
                break
        self.kept[role, use.node] = name
        columns = tuple(ir.Column(column.name, column.type) for column in own.columns)
        self._at(
            role, ir.Program(self.path, (ir.Collection(name, "table", columns, durable=True),), ())
        )
        variables = tuple(ir.Var(column.name) for column in columns)
        self._outside(role, name, variables, (ir.Atom(use.atom.collection, variables),))

    def _rewrite(self, role: str) -> None:
        """A role's own rules, as far as they send, ask, or read what is sealed."""
        asking = {q.unit.rule.name: q for q in self.questions if q.unit.role == role}
        ways: dict[str, set[str]] = {}
        for node in self.places:
            for unit in self._ways(node):
                if unit.role == role:
                    ways.setdefault(unit.rule.name, set()).add(node)
        changed: dict[str, tuple[ir.Rule, ...]] = {}
        counts: dict[str, int] = {}
        for rule in role_of(self.deployed, role).program.rules:
            new = self._reading(role, rule, ways.get(rule.name, set()), asking.get(rule.name))
            new = self._sending(role, new, counts)
            if new is not rule:
                span = replace(new.span, text="")
                changed[rule.name] = (replace(new, origin=ORIGIN, span=span),)
        self.deployed = replace_rules(self.deployed, role, changed)

    def _ways(self, node: str) -> Iterator[Unit]:
        """The rules by which a question comes by the rows of a stream."""
        for question in self.questions:
            if node in question.streams:
                yield question.unit
                yield from question.ways.values()
        for other, place in self.places.items():
            for end in place.stream.ends:
                if node in end.channels or (node == other and place.stream.goes_round):
                    yield from end.ways

    def _reading(
        self, role: str, rule: ir.Rule, asks: set[str], question: Question | None
    ) -> ir.Rule:
        body: list[ir.Literal] = []
        for part in rule.body:
            if isinstance(part, ir.Atom):
                body += self._atom(role, part, asks, question)
            else:
                body.append(part)
        if question is not None:
            body += self._guards(question)
        return rule if tuple(body) == rule.body else replace(rule, body=tuple(body))

    def _atom(
        self, role: str, atom: ir.Atom, asks: set[str], question: Question | None
    ) -> list[ir.Literal]:
        node = self.system.id(role, atom.collection)
        place = self.places.get(node)
        passing = question is not None and any(use.node == node for use in question.passing)
        if place is None:
            if passing and not atom.negated:
                return [replace(atom, collection=self.kept[role, node])]
            return [atom]
        args = tuple(arg for arg in place.arranged(atom.args) if not isinstance(arg, ir.Aggregate))
        if node in asks:
            found: list[ir.Literal] = [replace(atom, collection=place.rows, args=args)]
            if place.channel and not isinstance(atom.args[0], (ir.Wild, ir.Here)):
                found.append(ir.Condition(ir.Binary("==", atom.args[0], ir.Here())))
            return found
        if not place.channel:
            return [atom]
        item = (atom.args[0], ir.Wild(), *args)
        return [replace(atom, collection=f"{place.path}.item", args=item)]

    def _guards(self, question: Question) -> Iterator[ir.Literal]:
        """That all of what is asked for is there."""
        for node, columns in question.streams.items():
            place = self.places[node]
            names = tuple(columns[at] for at in place.stream.part) or (YES,)
            yield ir.Atom(place.complete, names)
        for node, columns in question.sealed.items():
            contract = self.survey.contracts.by_rows[node]
            complete = self.system.nodes[contract.complete].collection.name
            yield ir.Atom(complete, tuple(columns[of] for _, of in contract.columns))

    def _sending(self, role: str, rule: ir.Rule, counts: dict[str, int]) -> ir.Rule:
        place = self.places.get(self.system.id(role, rule.head))
        if place is None or not place.channel or rule.op != "<~":
            return rule
        head = f"{place.path}.send"
        counts[head] = counts.get(head, 0) + 1
        args = (rule.args[0], *place.arranged(rule.args))
        return replace(rule, name=f"{head}_{counts[head]}", head=head, args=args, op="<=")

    # --------------------------------------------------------------- who has it

    def declaring(self, node: str) -> list[str]:
        """The roles that have a channel."""
        wire = self._wire(node)
        return [
            name
            for name, role in self.system.roles.items()
            if any(c.kind == "channel" and c.wire == wire for c in role.program.collections)
        ]

    def receivers(self, node: str) -> list[str]:
        """The roles at which a channel's rows are asked for."""
        reading = (u for u in self._ways(node) if any(use.node == node for use in u.uses))
        return list(dict.fromkeys(unit.role for unit in reading))


def _names(columns: Sequence[ir.Column]) -> tuple[ir.Expr, ...]:
    return tuple(ir.Var(column.name) for column in columns) or (YES,)

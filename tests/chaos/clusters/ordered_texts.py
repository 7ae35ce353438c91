"""Texts of which every operation, reads included, goes through one order; clients ask replicas."""

from bloomish import (
    Address, Cluster, Key, Program, _, each, field, here, input, notin, output, scratch, table, use,
    variables,
)
from bloomish.programs.ordering import ReplicatedPeer, SequencedPeer

command, id, key, node, op, parts, row, text, word = variables(
    "command id key node op parts row text word"
)


class Texts(Program):
    """What is done in a turn; who asked is told."""

    ask = input(id=int, op=str, key=str, word=str)
    told = output(id=int, text=str)
    texts = table(key=Key(str), text=str, durable=True)
    turn = scratch(node=Address, id=int, op=str, key=str, word=str)
    old = scratch(key=Key(str), text=str)

    old(key, text) <= turn(_, _, _, key, _) & texts(key, text)
    old(key, "") <= turn(_, _, _, key, _) & notin(texts(key, _))
    texts(key, text + word) <+- turn(_, _, "append", key, word) & old(key, text)
    told(id, text + word) <= turn(node, id, "append", key, word) & old(key, text) & (node == here)
    told(id, text) <= turn(node, id, "read", key, _) & old(key, text) & (node == here)


class SequencedTexts(Texts):
    """The order is made by one of the replicas."""

    order = use(SequencedPeer)

    order.submit((here, id, op, key, word)) <= Texts.ask(id, op, key, word)
    Texts.turn(
        field(command, 0, Address), field(command, 1, int), field(command, 2, str),
        field(command, 3, str), field(command, 4, str),
    ) <= order.deliver(_, command)


class ReplicatedTexts(Texts):
    """The order is agreed on by a majority."""

    order = use(ReplicatedPeer)

    order.submit((here, id, op, key, word)) <= Texts.ask(id, op, key, word)
    Texts.turn(
        field(command, 0, Address), field(command, 1, int), field(command, 2, str),
        field(command, 3, str), field(command, 4, str),
    ) <= order.deliver(_, command)

    order.part(("text", key, text)) <= order.imaged(_) & Texts.texts(key, text)
    Texts.texts(key, text) <- order.installed(_, _) & Texts.texts(key, text)
    Texts.texts(field(row, 1, str), field(row, 2, str)) <+ (
        order.installed(_, parts) & each(row, parts) & (field(row, 0, str) == "text")
    )


sequenced = Cluster(replica=SequencedTexts * 3)
replicated = Cluster(replica=ReplicatedTexts * 3)

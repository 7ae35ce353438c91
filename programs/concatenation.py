"""Two speakers and what the walls of three rooms say after them.

Source: Takada, "Distributed Systems for fun and profit" (2013), chapter 5: replicas that
concatenate strings, an update for which no order but one and the same will do.  One speaker says
"Hello ", another "World!", and every room appends what it hears.

Rooms hear in orders of their own.  One reads "Hello World!", another "World!Hello ", for good.

Nothing here coordinates: `bloomish check` flags the appending, `--coordinate` puts a log before it.
"""

from bloomish import (
    Address, Any, Cluster, Key, Program, _, channel, collect, function, here, input, output, roster,
    scratch, table, variables,
)

before, heard, line, number, room, speaker, text = variables(
    "before heard line number room speaker text"
)


@function
def joined(heard: Any) -> str:
    """What one tick brings, in the order of the speakers and their numbers."""
    return "".join(text for _, _, text in heard)


class Talk(Program):
    """What speakers say to rooms."""

    say = channel(to=Address, speaker=Address, number=int, text=str)


class Room(Talk):
    """Appends what it hears to what stands on the wall."""

    wall = table(line=Key(int), text=str, durable=True)
    batch = scratch(line=Key(int), heard=Any)
    reads = output(text=str)

    wall <= [(0, "")]
    batch(0, collect((speaker, number, text))) <= Talk.say(_, speaker, number, text)
    wall(line, before + joined(heard)) <+- batch(line, heard) & wall(line, before)
    reads(text) <= wall(_, text)


class Speaker(Talk):
    """Says to every room what its host says."""

    rooms = roster("room")
    speak = input(number=int, text=str)

    Talk.say(room, here, number, text) <~ speak(number, text) & rooms(room)


cluster = Cluster(room=Room * 3, speaker=Speaker * 2)

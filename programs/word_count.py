"""Word count: mappers split lines into words, reducers add up.

Sources: Dean, Ghemawat, "MapReduce: Simplified Data Processing on Large Clusters" (OSDI 2004);
Alvaro, Conway, Hellerstein, Maier, "Blazes: Coordination Analysis for Distributed Programs" (ICDE
2014), whose streaming word count this is.

A mapper counts the words of each line that it is given, and sends every word to the reducer that
the word belongs to.  The totals are handed out, and what was handed out cannot be taken back: a
total is exact only once all of a job's lines are in, and of that no reducer knows.

Nothing here coordinates: `bloomish check` flags the total, `--coordinate` seals the jobs.
"""

import zlib

from bloomish import (
    Address, Cluster, Key, MapUnion, Max, Program, _, channel, each, function, here, index, input,
    output, roster, scratch, size, sum_, table, variables,
)

job, mapper, number, place, reducer, text, times, word = variables(
    "job mapper number place reducer text times word"
)


@function
def tally(text: str) -> MapUnion(str, Max(int)):
    """How many times each word stands in a line."""
    times: dict[str, int] = {}
    for one in text.lower().split():
        times[one] = times.get(one, 0) + 1
    return times


@function
def number_of(word: str) -> int:
    """A number that spreads words, the same on every machine."""
    return zlib.crc32(word.encode())


class Count(Program):
    """What mappers say to reducers."""

    word = channel(to=Address, mapper=Address, job=str, number=int, word=str, times=int)


class Mapper(Count):
    """Splits the lines of its host into words."""

    reducers = roster("reducer")
    line = input(job=str, number=int, text=str)
    ring = scratch(place=Key(int), reducer=Address)

    ring(index(reducer), reducer) <= reducers(reducer)
    Count.word(reducer, here, job, number, word, times) <~ (
        line(job, number, text) & each(word, times, tally(text))
        & ring(place, reducer) & (place == number_of(word) % size(reducers))
    )


class Reducer(Count):
    """Adds up the words that belong to it."""

    counted = table(mapper=Address, job=str, number=int, word=str, times=int, durable=True)
    total = output(job=str, word=str, times=int)

    counted(mapper, job, number, word, times) <= Count.word(_, mapper, job, number, word, times)
    total(job, word, sum_(times)) <= counted(_, job, _, word, times)


cluster = Cluster(mapper=Mapper * 2, reducer=Reducer * 2)

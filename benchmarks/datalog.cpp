// W1 to W5 by hand: semi-naive loops over an open-addressing set of pairs and adjacency lists.
// Usage: datalog W FOLDER; prints rows and checksum.  Compiled by benchmarks/datalog.py.

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

using Pair = uint64_t;
using Lists = std::vector<std::vector<uint32_t>>;

static Pair pair(uint32_t x, uint32_t y) { return (uint64_t(x) << 32) | y; }

// Pairs in the order in which they came; a table finds them.
struct Set {
    std::vector<Pair> rows;
    std::vector<uint32_t> slots = std::vector<uint32_t>(1 << 16, 0);

    bool insert(Pair p) {
        if (rows.size() * 2 >= slots.size()) grow();
        size_t mask = slots.size() - 1;
        for (size_t at = hash(p) & mask;; at = (at + 1) & mask) {
            if (slots[at] == 0) {
                rows.push_back(p);
                slots[at] = uint32_t(rows.size());
                return true;
            }
            if (rows[slots[at] - 1] == p) return false;
        }
    }

  private:
    static size_t hash(Pair p) {
        p *= 0x9E3779B97F4A7C15ull;
        return p ^ (p >> 29);
    }
    void grow() {
        std::vector<uint32_t> bigger(slots.size() * 4, 0);
        size_t mask = bigger.size() - 1;
        for (uint32_t id = 0; id < rows.size(); id++) {
            size_t at = hash(rows[id]) & mask;
            while (bigger[at]) at = (at + 1) & mask;
            bigger[at] = id + 1;
        }
        slots.swap(bigger);
    }
};

static std::vector<std::vector<uint32_t>> read(const std::string& path, int columns) {
    std::vector<std::vector<uint32_t>> rows;
    FILE* file = fopen(path.c_str(), "r");
    if (!file) return rows;
    uint32_t value;
    std::vector<uint32_t> row;
    while (fscanf(file, "%u", &value) == 1) {
        row.push_back(value);
        if (int(row.size()) == columns) {
            rows.push_back(row);
            row.clear();
        }
    }
    fclose(file);
    return rows;
}

static void add(Lists& lists, uint32_t at, uint32_t value) {
    if (lists.size() <= at) lists.resize(at + 1);
    lists[at].push_back(value);
}

static const std::vector<uint32_t>& of(const Lists& lists, uint32_t at) {
    static const std::vector<uint32_t> none;
    return at < lists.size() ? lists[at] : none;
}

static uint64_t checksum(const Set& set) {
    uint64_t sum = 0;
    for (Pair p : set.rows) {
        uint64_t x = p >> 32, y = p & 0xFFFFFFFF;
        sum += x * 31 + y * 17 + x * y % 1009;
    }
    return sum;
}

static void report(std::vector<const Set*> sets) {
    uint64_t rows = 0, sum = 0;
    for (const Set* set : sets) rows += set->rows.size(), sum += checksum(*set);
    printf("%llu %llu\n", (unsigned long long)rows, (unsigned long long)sum);
}

static void closure(const std::string& path) {
    Lists after;
    Set found;
    for (auto& e : read(path, 2)) {
        add(after, e[0], e[1]);
        found.insert(pair(e[0], e[1]));
    }
    for (size_t at = 0; at < found.rows.size(); at++) {
        Pair p = found.rows[at];
        for (uint32_t z : of(after, uint32_t(p))) found.insert((p & ~0xFFFFFFFFull) | z);
    }
    report({&found});
}

static void same_generation(const std::string& path) {
    Lists children;
    Set found;
    for (auto& e : read(path, 2)) add(children, e[1], e[0]);
    for (auto& group : children)
        for (uint32_t a : group)
            for (uint32_t b : group) found.insert(pair(a, b));
    for (size_t at = 0; at < found.rows.size(); at++) {
        Pair p = found.rows[at];
        for (uint32_t a : of(children, p >> 32))
            for (uint32_t b : of(children, uint32_t(p))) found.insert(pair(a, b));
    }
    report({&found});
}

static void distances(const std::string& path) {
    std::vector<std::vector<std::pair<uint32_t, uint32_t>>> after;
    for (auto& e : read(path, 3)) {
        size_t top = std::max(e[0], e[1]) + 1;
        if (after.size() < top) after.resize(top);
        after[e[0]].push_back({e[1], e[2]});
    }
    std::vector<uint32_t> best(after.size(), UINT32_MAX), fresh{0}, next;
    std::vector<char> marked(after.size());
    best[0] = 0;
    while (!fresh.empty()) {
        for (uint32_t x : fresh) marked[x] = 0;
        for (uint32_t x : fresh)
            for (auto [y, c] : after[x])
                if (best[x] + c < best[y]) {
                    best[y] = best[x] + c;
                    if (!marked[y]) marked[y] = 1, next.push_back(y);
                }
        fresh.swap(next);
        next.clear();
    }
    Set found;
    for (uint32_t x = 0; x < best.size(); x++)
        if (best[x] != UINT32_MAX) found.insert(pair(x, best[x]));
    report({&found});
}

static void aliases(const std::string& folder) {
    Lists assign_from, points, flow_to, flow_from, memory_to, memory_from;
    Set flow, memory, alias;
    for (auto& e : read(folder + "/w5_dereference.tsv", 2)) add(points, e[0], e[1]);
    for (auto& e : read(folder + "/w5_assign.tsv", 2)) {
        add(assign_from, e[1], e[0]);
        flow.insert(pair(e[0], e[1]));
        for (uint32_t x : {e[0], e[1]}) flow.insert(pair(x, x)), memory.insert(pair(x, x));
    }
    size_t f = 0, m = 0, v = 0;
    while (f < flow.rows.size() || m < memory.rows.size() || v < alias.rows.size()) {
        if (f < flow.rows.size()) {
            Pair p = flow.rows[f++];
            uint32_t x = p >> 32, y = uint32_t(p);
            add(flow_to, x, y);
            add(flow_from, y, x);
            for (uint32_t z : of(flow_to, y)) flow.insert(pair(x, z));
            for (uint32_t z : of(flow_from, x)) flow.insert(pair(z, y));
            for (uint32_t z : of(flow_to, x)) alias.insert(pair(y, z)), alias.insert(pair(z, y));
            for (uint32_t w : of(memory_to, x))
                for (uint32_t z : of(flow_to, w)) alias.insert(pair(y, z));
            for (uint32_t w : of(memory_from, x))
                for (uint32_t z : of(flow_to, w)) alias.insert(pair(z, y));
        } else if (m < memory.rows.size()) {
            Pair p = memory.rows[m++];
            uint32_t x = p >> 32, y = uint32_t(p);
            add(memory_to, x, y);
            add(memory_from, y, x);
            for (uint32_t z : of(assign_from, x)) flow.insert(pair(z, y));
            for (uint32_t a : of(flow_to, x))
                for (uint32_t b : of(flow_to, y)) alias.insert(pair(a, b));
        } else {
            Pair p = alias.rows[v++];
            for (uint32_t a : of(points, p >> 32))
                for (uint32_t b : of(points, uint32_t(p))) memory.insert(pair(a, b));
        }
    }
    report({&flow, &memory, &alias});
}

int main(int, char** argv) {
    std::string name = argv[1], folder = argv[2], path = folder + "/" + name + ".tsv";
    if (name == "w3") same_generation(path);
    else if (name == "w4") distances(path);
    else if (name == "w5") aliases(folder);
    else closure(path);
}

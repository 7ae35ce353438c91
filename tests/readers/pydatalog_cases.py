# ruff: noqa: E501
"""pyDatalog programs, one per line: (name, program, query)."""

BASE = """
+s('x', 1)
+s('y', 1)
+s('z', 2)
+s('x', 3)
"""

LINKS = """
# a small graph
+link('a', 'b')
+link('b', 'c')
+link('c', 'd')
+link('d', 'b')
+link('e', 'e')
"""

STAFF = """
+ (manager['Mary'] == 'John')
+ (manager['Sam'] == 'Mary')
+ (manager['Tom'] == 'Mary')
salary['John'] = 6800
salary['Mary'] = 6300
salary['Sam'] = 5900
salary['Tom'] = 5900
"""

# (name, program, query)
CASES = [
    ("reach", LINKS + "path(X,Y) <= link(X,Y)\npath(X,Y) <= path(X,Z) & link(Z,Y)", "path('a', Y)"),
    ("reach_all", LINKS + "path(X,Y) <= link(X,Y)\npath(X,Y) <= path(X,Z) & link(Z,Y)", "path(X, Y)"),
    ("reach_self", LINKS + "path(X,Y) <= link(X,Y)\npath(X,Y) <= path(X,Z) & link(Z,Y)", "path(X, X)"),
    ("reach_holds", LINKS + "path(X,Y) <= link(X,Y)\npath(X,Y) <= path(X,Z) & link(Z,Y)", "path('a', 'd')"),
    ("multi_line", LINKS + "two(X,Y) <= (link(X,Z)   # first step\n    & link(Z,Y))", "two(X, Y)"),
    ("both_ways", LINKS + "near(X,Y) <= link(X,Y)\nnear(X,Y) <= link(Y,X)", "near(X, 'b')"),
    ("constants", "+p(a, b)\n+p('a', 'c')", "p(a, X)"),
    ("underscore_is_a_variable", "+p(1, 2)\n+p(1, 1)", "p(_, _)"),
    ("negation", LINKS + "end(X) <= link(_,X) & ~link(X,'b')", "end(X)"),
    ("negation_any", LINKS + "leaf(X) <= link(Y,X) & ~link(X,Z) ", "leaf(X)"),
    ("negation_derived", BASE + "q(X) <= s(X,3)\nr(X) <= s(X,Y) & ~q(X)", "r(X)"),
    ("negation_of_two", BASE + "top(X,Y) <= s(X,Y) & ~(s(X,Z) & (Z>Y))", "top(X, Y)"),
    ("negated_equality", BASE + "b(K,L) <= s(K,_) & s(L,_) & ~(K==L)", "b(X, Y)"),
    ("negated_order", BASE + "b(X) <= s(X,Y) & ~(Y<2)", "b(X)"),
    ("comparison", BASE + "b(X) <= s(X,Y) & (1<Y) & (Y<3)", "b(X)"),
    ("unequal", BASE + "b(X) <= s(X,Z) & (X!='x')", "b(X)"),
    ("arithmetic", BASE + "b(X,Y) <= s(X,Z) & (Y==Z*2+1)", "b(X, Y)"),
    ("arithmetic_tested", BASE + "b(X) <= s(X,Z) & (Z+1==Z*2)", "b(X)"),
    ("division", BASE + "b(X,Y) <= s(X,Z) & (Y==Z/4)", "b(X, Y)"),
    ("floor_and_rest", BASE + "b(Y,W) <= s(X,Z) & (Y==Z//2) & (W==Z%2)", "b(X, Y)"),
    ("power", BASE + "b(Y) <= s(X,Z) & (Y==Z**3)", "b(X)"),
    ("minus", BASE + "b(Y) <= s(X,Z) & (Y==-Z)", "b(X)"),
    ("floats", "+m(a, 1.5)\n+m(b, 2)\nd(X,Y) <= m(X,Z) & (Y==Z*2)", "d(X, Y)"),
    ("float_meets_int", "+m(a, 2.0)\n+n(2)\nd(X) <= m(X,Z) & n(Z)", "d(X)"),
    ("join_by_name", BASE + "b(Y) <= s(X,Z) & (Y==X+'k')", "b(X)"),
    ("in_constants", BASE + "b(X) <= s(X,Z) & (Z in (2,3))", "b(X)"),
    ("in_binds", "b(X) <= (X in range_(4)) & ~(X==2)", "b(X)"),
    ("in_method", BASE + "b(X) <= (X.in_(['x','q'])) & s(X,_)", "b(X)"),
    ("in_variables", BASE + "a(X,Y) <= s(X,Z) & (Y in (Z,7))", "a(X, Y)"),
    ("not_in", BASE + "b(X,Z) <= s(X,Z) & (Z not in (2,3))", "b(X, Z)"),
    ("range_of_variable", BASE + "a(X,Y) <= s(X,Z) & (Y in range_(Z))", "a(X, Y)"),
    ("format", BASE + "b(Y) <= s(X,Z) & (Y==format_('{}-{}',X,Z))", "b(X)"),
    ("tuples", BASE + "b(Y) <= s(X,Z) & (Y==(X,Z))\nc(A)<=b((A,3))", "c(X)"),
    ("elements", BASE + "b(Y) <= s(X,Z) & (Y==(X,Z))\nc(Z)<=b(Y)&(Z==Y[0])", "c(X)"),
    ("zero_arity", BASE + "ok() <= s('x',3)\nb(X) <= s(X,Y) & ok()", "b(X)"),
    ("zero_arity_fact", "+ok()", "ok()"),
    ("none", "+p(None)\n+p('a')", "p(X)"),
    ("replaced_fact", "f['a']=1\nf['a']=2\nf['b']=5", "f[X]==Y"),
    ("retracted", BASE + "-s('x', 1)", "s(X, Y)"),
    ("retracted_function", "f['a']=1\nf['b']=2\ndel f['a']", "f[X]==Y"),
    ("function", STAFF + "boss(X,Y) <= (manager[X]==Y)\nboss(X,Y) <= (manager[X]==Z) & boss(Z,Y)", "boss('Sam', X)"),
    ("function_in_term", STAFF + "gap(X,Y) <= (manager[X]==Z) & (Y==salary[Z]-salary[X])", "gap(X, Y)"),
    ("function_compared", STAFF, "(salary[X]==Y) & (Y<6000)"),
    ("function_query", STAFF, "salary[X] < 6000"),
    ("function_value", STAFF, "salary['Mary'] == Y"),
    ("function_of_function", STAFF + "(grand[X]==Y) <= (manager[manager[X]]==Y)", "grand[X]==Y"),
    ("factorial", "(fac[N]==F) <= (N<1) & (F==1)\n(fac[N]==F) <= (N>0) & (F==N*fac[N-1])", "fac[5]==F"),
    ("factorial_fact", "fac[0]=1\n(fac[N]==F) <= (N>0) & (F==N*fac[N-1])", "fac[5]==F"),
    ("factorial_assigned", "fac[0]=1\nfac[N]=N*fac[N-1]", "fac[6]==F"),
    ("fibonacci", "fib[0]=0\nfib[1]=1\n(fib[N]==F) <= (N>1) & (F==fib[N-1]+fib[N-2])", "fib[12]==F"),
    ("function_called", "f[X]=X+1", "f[3]==Y"),
    ("sum", BASE + "(t[K]==sum_(V, for_each=V)) <= s(K,V)", "t[X]==Y"),
    ("sum_is_over_a_set", BASE + "(t[None]==sum_(V, for_each=V)) <= s(K,V)", "t[None]==Y"),
    ("sum_for_each", BASE + "(t[None]==sum_(V, for_each=K)) <= s(K,V)", "t[None]==Y"),
    ("sum_joined", BASE + "(t[K]==sum_(V, for_each=W)) <= s(K,V) & s(W,V)", "t[X]==Y"),
    ("sum_of_floats", "+m(a,0.5)\n+m(b,1)\n(t[None]==sum_(V, for_each=K)) <= m(K,V)", "t[X]==Y"),
    ("len", BASE + "(n[V]==len_(K)) <= s(K,V)", "n[X]==Y"),
    ("len_builtin_name", BASE + "(n[V]==len(K)) <= s(K,V)", "n[X]==Y"),
    ("len_distinct", BASE + "(n[1]==len_(V)) <= s(K,V)", "n[1]==Y"),
    ("min_max", BASE + "(m[K]==min_(V, order_by=V)) <= s(K,V)\n(n[K]==max_(V, order_by=V)) <= s(K,V)", "(m[K]==X) & (n[K]==Y)"),
    ("max_by", BASE + "(m[1]==max_(K, order_by=V)) <= s(K,V)", "m[1]==Y"),
    ("min_by_two", BASE + "(m[1]==min_(K, order_by=(V,K))) <= s(K,V)", "m[1]==Y"),
    ("min_descending", BASE + "(m[1]==min_(K, order_by=-V)) <= s(K,V)", "m[1]==Y"),
    ("min_mixed", BASE + "+s('q', 3)\n(m[1]==min_(K, order_by=(-V,W))) <= s(K,V) & (W==K)", "m[1]==Y"),
    ("mean", BASE + "(m[K]==mean_(V, for_each=V)) <= s(K,V)", "m[X]==Y"),
    ("concat", BASE + "(c[V]==concat_(K, order_by=K, sep=',')) <= s(K,V)", "c[X]==Y"),
    ("concat_descending", BASE + "(c[1]==concat_(K, order_by=-W, sep='+')) <= s(K,V) & (W==V+V) & ~s(K,W) & (V>1)", "c[1]==Y"),
    ("tuple", BASE + "(t[K]==tuple_(V, order_by=V)) <= s(K,V)", "t[K]==Y"),
    ("rank", BASE + "(r[K,V]==rank_(group_by=K, order_by=V)) <= s(K,V)", "r[X,Y]==Z"),
    ("rank_in_all", BASE + "(r[K]==rank_(order_by=K)) <= s(K,V)", "r[X]==Y"),
    ("running_sum", BASE + "(r[K,V]==running_sum_(V, group_by=K, order_by=V)) <= s(K,V)", "r[X,Y]==Z"),
    ("linear_regression", "+m(1,3)\n+m(2,5)\n+m(3,7)\n(l[1]==linear_regression_(Y, for_each=X)) <= m(X,Y)", "l[1]==Y"),
    ("aggregate_of_recursion", LINKS + "path(X,Y) <= link(X,Y)\npath(X,Y) <= path(X,Z) & link(Z,Y)\n(reached[X]==len_(Y)) <= path(X,Y)", "reached[X]==Y"),
    ("aggregate_used", BASE + "(n[K]==len_(V)) <= s(K,V)\nbig(K) <= (n[K]==N) & (N>1)", "big(X)"),
    ("aggregate_negated", BASE + "(n[K]==len_(V)) <= s(K,V)\none(K) <= s(K,_) & ~(n[K]==1)", "one(X)"),
    ("name_constant", "size = 5\n+p(size)", "p(X)"),
    ("query_of_two", BASE, "s(X, Y) & (X=='x') & (Z==Y+1)"),
    ("query_holds", BASE, "s('z', 2)"),
    ("query_fails", BASE, "s('z', 3)"),
    ("constant_in_head", BASE + "b(X, 1) <= s(X,_)", "b(A, B)"),
    ("fact_and_rule", BASE + "+b('w')\nb(X) <= s(X, 3)", "b(X)"),
    ("same_name_two_arities", "+p(1)\n+p(1, 2)\nq(X) <= p(X) & p(X, _)", "q(X)"),
]  # fmt: skip

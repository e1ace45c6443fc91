"""Everything that can be checked of a recipe before its first call is paid: `whole.check`, shared by run, plan and doctor.

A file a kind of thing: `names`, `data`, `models`. Each yields troubles; none of them sends, trains or writes anything.
"""

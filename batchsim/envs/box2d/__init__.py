"""Environments on a two-dimensional physics engine whose worlds are columns.

The engine is the part of Box2D 2.3 by Erin Catto (zlib licence) that these environments exercise:
its algorithms, its constants, and its order of operations in float32, so that bodies move by the
same bits. One file a subject: `settings`, `vectors`, `shapes`, `collide`, `polygons`,
`distance`, `impact`, `contacts`, `constraints`, `contact_velocities`, `contact_positions`,
`joints`, `island`, `world`.
"""

"""Networks made elsewhere: a Keras file becomes a bundle, with its preprocessing asked for and checked.

A stranger's file is read as data, in a process of its own that can open nothing else (`child`): its layers are copied
by an allow-list (`layers`) into a flat list of steps (`graph`), its weights by their place in HDF5 (`weights`). Keras
never sees the file: the network is built anew from those steps (`build`), measured on labelled images under every
preprocessing that it may have been trained with (`check`), and finished as any detector is (`adopt`).
"""

"""dfcore: a Keras workbench for telling real images from machine-made ones.

Importing the package imports no TensorFlow; what needs it imports it when called.

Example:
    >>> import dfcore
    >>> dfcore.__version__
    '0.4.0'
"""

__version__ = "0.4.0"

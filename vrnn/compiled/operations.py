"""The operations of a program, and how one lies in its table: numbers of a header, then three for each operand.

An operand's numbers are the address of its first element, and the bytes to its next row and to its next time step.
"""

OPERANDS = 14  # that an operation can have
HEADER = 5  # numbers before them: operation, columns, and for a product K, whether a ReLU follows, columns of a panel
WIDTH = HEADER + 3 * OPERANDS
PRODUCT, GRU, OF_GRU, LSTM, OF_LSTM, DRAW, OF_DRAW, OF_RELU = range(8)

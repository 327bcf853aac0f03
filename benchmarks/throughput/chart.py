def write_chart(*a):
    pass

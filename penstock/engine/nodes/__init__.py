"""engine/nodes"""
